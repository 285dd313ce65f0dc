// Package config reads the configuration file: one YAML document, decoded strictly into the Config
// types of the packages that it configures.
//
// Everything that is wrong comes at once, each problem with file, line, column, key and the line
// itself:
//
//	/etc/filelessd/config.yaml:12:5: sinks.soc.concurency: unknown key; did you mean concurrency?
//	   12 |     concurency: 4
//	      |     ^
//
// The YAML library parses, and a decoder of our own fills the structs, over a tree that knows where
// everything stands. The library's decoder was rejected: it reports one problem a run, and any of
// several unknown keys; it decides by the look of a scalar what type it has, so that a password
// 007 becomes a 7 and a variable can not fill a number; and it quotes the line around a problem,
// secrets and all.
//
// References, ${NAME} and ${file:/path}, are filled in after parsing and before decoding, so a value
// is never YAML, and has the type that its key wants. A message never shows what was filled in, nor
// a value under a key that holds a secret, nor one under a key that is unknown.
package config

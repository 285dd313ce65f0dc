// Package readers tries the files that reports offer on what reads them: the tools themselves where
// Debian has them, the libraries that the tools are made of, or published schemas. It reads the dashboard
// among the examples in the same way.
//
// It is a module of its own, so that the libraries of Compose, Kubernetes and others stay out of
// the program's dependencies.
//
// No Falco can be installed where these tests run. In its place stand Falco's own JSON schemas of
// rules and settings, a reader of what the loader checks beyond them, and a parser of the condition
// grammar over the fields that Falco 0.38 and 0.44 both know. Not covered: whether a rule fires on
// an event, whether a field is filled in by a driver, and how Falco merges files at start.
package readers

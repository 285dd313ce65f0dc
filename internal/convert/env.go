package convert

import (
	"strings"
	"unicode/utf8"
)

// environment puts what the environment of Falcosidekick says over what the file says, as Falcosidekick does.
func (c *conversion) environment() error {
	if c.in.Env == nil {
		return nil
	}
	if len(c.in.Env) > maxSize {
		return &Error{File: c.in.EnvName, Message: "larger than 1 MiB"}
	}
	known := map[string]string{}
	all := append(outputs(), global(), tlsServer(), batching())
	for _, o := range all {
		for _, k := range parseKeys(o.keys) {
			path := strings.TrimPrefix(o.path+"."+k.name, ".")
			known[variableOf(path)] = path
		}
	}
	for _, path := range []string{
		"mutualtlsclient.certfile", "mutualtlsclient.keyfile", "mutualtlsclient.cacertfile", "tlsclient.cacertfile",
	} {
		known[variableOf(path)] = path
	}
	number := 0
	for line := range strings.Lines(string(c.in.Env)) {
		number++
		line = strings.TrimRight(line, "\r\n")
		text := strings.TrimPrefix(strings.TrimSpace(line), "export ")
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		name, value, ok := strings.Cut(text, "=")
		if !ok || !utf8.ValidString(value) {
			c.noteAt(Note{File: c.in.EnvName, Line: number, Kind: Bad, What: "want NAME=VALUE on one line"})
			continue
		}
		path, ours := known[strings.TrimSpace(name)]
		if !ours { // an environment has many that are none of Falcosidekick's
			continue
		}
		c.put(strings.Split(path, "."), &node{kind: scalar, text: unquoted(value), quoted: true, line: number, file: c.in.EnvName})
	}
	return nil
}

// put sets a value at a path; what is in the way goes.
func (c *conversion) put(path []string, value *node) {
	at := c.root
	for _, part := range path[:len(path)-1] {
		next := at.get(part)
		if next == nil || next.kind != mapping {
			if value.text == "" {
				return
			}
			next = &node{kind: mapping, line: value.line, file: value.file}
			at.set(part, next)
		}
		at = next
	}
	at.set(path[len(path)-1], value)
}

// unquoted is a value without the quotes that files of environments may have around it.
func unquoted(value string) string {
	value = strings.TrimSpace(value)
	for _, q := range []string{`"`, "'"} {
		if len(value) >= 2 && strings.HasPrefix(value, q) && strings.HasSuffix(value, q) {
			return value[1 : len(value)-1]
		}
	}
	return value
}

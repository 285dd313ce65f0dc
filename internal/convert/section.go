package convert

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// section is an output together with what the input says of it.
type section struct {
	*conversion
	output
	n    *node // nil if the input does not name it
	keys map[string]key
	used map[string]bool // keys that were asked for
}

// section returns an output's part of the input, the same one each time, since it knows what was used of it.
func (c *conversion) section(o output) *section {
	if s := c.sections[o.path]; s != nil {
		return s
	}
	s := &section{conversion: c, output: o, n: c.root, keys: map[string]key{}, used: map[string]bool{}}
	for _, k := range parseKeys(o.keys) {
		s.keys[k.name] = k
	}
	if o.path != "" {
		for _, part := range strings.Split(o.path, ".") {
			s.n = s.n.get(part)
		}
	}
	c.sections[o.path] = s
	return s
}

// key is the whole name of a key, as notes have it.
func (s *section) key(name string) string {
	return strings.TrimPrefix(s.path+"."+name, ".")
}

// value returns what is set under a key, nil for nothing. An empty text is nothing to Falcosidekick.
func (s *section) value(name string) *node {
	if _, known := s.keys[name]; !known {
		panic("convert: " + s.path + " has no key " + name) // of our own table: a test finds it
	}
	if v := s.n.get(name); !v.empty() {
		return v
	}
	return nil
}

// empty reports whether n says nothing.
func (n *node) empty() bool {
	switch {
	case n == nil || n.kind == null:
		return true
	case n.kind == scalar:
		return n.text == ""
	}
	for _, e := range n.entries {
		if !e.value.empty() {
			return false
		}
	}
	return len(n.items) == 0
}

// given reports whether a key is set to something else than its default.
func (s *section) given(name string) bool {
	v := s.value(name)
	return v != nil && (v.kind != scalar || !strings.EqualFold(v.text, s.keys[name].def))
}

// text returns a key's value or its default.
func (s *section) text(name string) string {
	s.used[name] = true
	v := s.value(name)
	if v == nil {
		return s.keys[name].def
	}
	if v.kind != scalar {
		s.note(Bad, name, "want one value")
		return s.keys[name].def
	}
	return v.text
}

// boolean reads a key that is true or false.
func (s *section) boolean(name string) bool {
	text := s.text(name)
	b, err := strconv.ParseBool(text)
	if err != nil && text != "" {
		s.note(Bad, name, "want true or false")
		b, _ = strconv.ParseBool(s.keys[name].def)
	}
	return b
}

// number reads a key that is a number of at least 0.
func (s *section) number(name string) int {
	n, err := strconv.Atoi(s.text(name))
	if err != nil || n < 0 {
		s.note(Bad, name, "want a number")
		n, _ = strconv.Atoi(s.keys[name].def)
	}
	return n
}

// words reads a key that is a list, or a text with commas.
func (s *section) words(name string) []string {
	s.used[name] = true
	v := s.value(name)
	if v == nil {
		return nil
	}
	var all []string
	switch v.kind {
	case scalar:
		all = strings.Split(v.text, ",")
	case list:
		for _, item := range v.items {
			if item.kind == scalar {
				all = append(all, item.text)
			} else {
				s.note(Bad, name, "want a list of texts")
			}
		}
	default:
		s.note(Bad, name, "want a list")
	}
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return slices.DeleteFunc(all, func(w string) bool { return w == "" })
}

// pair is a name with its value.
type pair struct {
	name, value string
	line        int
	file        string // of the environment, if it comes from there
}

// pairs reads a key that is a mapping, or a text such as a:1,b:2.
func (s *section) pairs(name string) []pair {
	s.used[name] = true
	v := s.value(name)
	if v == nil {
		return nil
	}
	var all []pair
	switch v.kind {
	case mapping:
		for _, e := range v.entries {
			if e.value.kind != scalar {
				s.noteAt(Note{File: v.file, Line: e.line, Key: s.key(name) + "." + shown(e.key), Kind: Bad, What: "want one value"})
				continue
			}
			all = append(all, pair{e.key, e.value.text, e.line, v.file})
		}
	case scalar:
		all = s.split(name, v, ":")
	default:
		s.note(Bad, name, "want names with values")
	}
	// What comes later wins, as in the environment.
	var last []pair
	for i, p := range all {
		if p.name == "" || slices.ContainsFunc(all[i+1:], func(q pair) bool { return q.name == p.name }) {
			continue
		}
		last = append(last, p)
	}
	return last
}

// split reads a text of names and values with commas between them.
func (s *section) split(name string, v *node, between string) []pair {
	var all []pair
	for part := range strings.SplitSeq(v.text, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		key, value, ok := strings.Cut(part, between)
		if !ok {
			s.note(Bad, name, "want name%svalue, with commas between them", between)
			continue
		}
		all = append(all, pair{strings.TrimSpace(key), strings.TrimSpace(value), v.line, v.file})
	}
	return all
}

// place is the file and line of a key; of the section where the key is not set.
func (s *section) place(name string) (file string, line int) {
	if v := s.n.get(name); v != nil {
		if v.file != "" {
			return v.file, v.line
		}
		return "", max(v.line, s.keyLine(name))
	}
	return s.start()
}

// keyLine is the line of the key itself, where its value may have none or a later one.
func (s *section) keyLine(name string) int {
	if s.n != nil {
		for _, e := range s.n.entries {
			if strings.EqualFold(e.key, name) {
				return e.line
			}
		}
	}
	return 0
}

// start is where the section begins: its first key, or where the environment sets it.
func (s *section) start() (file string, line int) {
	at := s.root
	for part := range strings.SplitSeq(s.path, ".") {
		if at == nil {
			break
		}
		for _, e := range at.entries {
			if strings.EqualFold(e.key, part) {
				file, line = e.value.file, e.line
			}
		}
		at = at.get(part)
	}
	return file, line
}

// note says something of a key.
func (s *section) note(k Kind, name, format string, args ...any) {
	file, line := s.place(name)
	if at := s.keyLine(name); at > 0 && file == "" {
		line = at
	}
	s.noteAt(Note{File: file, Line: line, Key: s.key(name), Kind: k, What: fmt.Sprintf(format, args...)})
}

// on reports whether the output is switched on.
func (s *section) on() bool {
	if s.n == nil || s.n.kind != mapping {
		return false
	}
	for name := range strings.FieldsSeq(s.needs) {
		if v := s.value(name); v == nil || v.kind == scalar && strings.EqualFold(v.text, "false") {
			return false
		}
	}
	return true
}

// anything reports whether some key is set to something else than its default.
func (s *section) anything() bool {
	for name := range s.keys {
		if s.given(name) {
			return true
		}
	}
	return false
}

// idle says of keys that are set and do nothing here, for Falcosidekick neither.
func (s *section) idle(why string, names ...string) {
	for _, name := range names {
		if s.used[name] = true; s.given(name) {
			s.note(Dropped, name, "%s", why)
		}
	}
}

// leftovers says of each key that was not asked for why it is not taken over.
func (s *section) leftovers() {
	for _, k := range parseKeys(s.output.keys) {
		if s.used[k.name] || !s.given(k.name) {
			continue
		}
		why := s.left[k.name]
		if why == "" {
			why = "filelessd has no such setting"
		}
		s.note(Dropped, k.name, "%s", why)
	}
}

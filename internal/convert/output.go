package convert

import (
	"slices"
	"strings"
)

// output deals with one output.
func (c *conversion) output(s *section) {
	if s.n == nil || s.n.kind == null {
		return
	}
	file, line := s.start()
	if s.n.kind != mapping {
		c.noteAt(Note{File: file, Line: line, Key: s.path, Kind: Bad, What: "want keys and values"})
		return
	}
	if s.group {
		return
	}
	if !s.on() {
		if s.anything() {
			c.noteAt(Note{File: file, Line: line, Key: s.path, Kind: Off, What: "not switched on, since " + s.missing() + " not set here"})
		}
		return
	}
	done := converted{output: s.output, file: file, line: line, name: strings.ReplaceAll(s.path, ".", "_")}
	say := func(k Kind, what string) {
		c.noteAt(Note{File: file, Line: line, Key: s.path, Kind: k, What: what})
	}
	switch {
	case s.metrics:
		say(Dropped, "this counts alerts and sends none. It stays what it is in Falcosidekick; filelessd's own metrics are at http://127.0.0.1:2804/metrics")
	case s.make == nil:
		c.toFalcosidekick(s, done, "filelessd has no sink for "+s.name)
	case slices.Contains(c.in.Through, s.path):
		c.toFalcosidekick(s, done, "as asked for")
	default:
		notes, variables := len(c.notes), slices.Clone(c.variables)
		keys, why := c.sink(s)
		if why != "" {
			c.undo(notes, variables)
			c.toFalcosidekick(s, done, why)
			return
		}
		done.keys = keys
		c.sinks = append(c.sinks, done)
		say(Converted, "sink "+done.name+" of type "+s.kind+": "+s.changes)
		s.leftovers()
	}
}

// groups says what became of the keys that several outputs share.
func (c *conversion) groups() {
	for _, o := range outputs() {
		below := func(s converted) bool { return strings.HasPrefix(s.path, o.path+".") }
		s := c.section(o)
		switch {
		case !o.group || s.n == nil:
		case slices.ContainsFunc(c.sinks, below):
			s.leftovers()
		case !slices.ContainsFunc(c.stay, below) && s.anything():
			file, line := s.start()
			c.noteAt(Note{File: file, Line: line, Key: s.path, Kind: Off, What: "no output below it is switched on here"})
		}
	}
}

// missing names the keys without which an output is off.
func (s *section) missing() string {
	var names []string
	for name := range strings.FieldsSeq(s.needs) {
		if v := s.value(name); v == nil || v.kind == scalar && strings.EqualFold(v.text, "false") {
			names = append(names, name+" ("+variableOf(s.key(name))+" in its environment)")
		}
	}
	if len(names) == 1 {
		return names[0] + " is"
	}
	return strings.Join(names, " and ") + " are"
}

// sink makes the keys of a sink, or says why there can not be one. What it noted then is to be undone, but for
// what is bad.
func (c *conversion) sink(s *section) (fields, string) {
	keys, why := s.make(s)
	if why != "" {
		return nil, why
	}
	all := fields{{key: "type", value: s.kind}}
	all = append(all, keys...)
	all = append(all, s.common()...)
	probe := fields{
		{key: "sources", value: fields{{key: "probe", value: fields{{key: "type", value: "file"}, {key: "path", value: "/probe"}}}}},
		{key: "sinks", value: fields{{key: "probe", value: all}}},
	}
	var b strings.Builder
	probe.write(&b, 0)
	if err := c.check([]byte(b.String())); err != nil {
		s.noteAt(Note{Line: lineOfSection(s), Key: s.path, Kind: Bad, What: "filelessd can not use this: " + problems(err)})
		return nil, "a value is not good enough for a sink; the note of kind bad says which"
	}
	return all, ""
}

func lineOfSection(s *section) int {
	_, line := s.start()
	return line
}

// undo takes back what was noted since, but for what is bad.
func (c *conversion) undo(notes int, variables []Variable) {
	for _, v := range c.variables[len(variables):] {
		delete(c.values, v.Name)
	}
	c.variables = variables
	since := slices.Clone(c.notes[notes:])
	c.notes = c.notes[:notes]
	for _, n := range since {
		if n.Kind == Bad {
			c.noteAt(n)
		}
	}
}

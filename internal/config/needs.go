package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/filelessd/filelessd/internal/when"
)

// Need says which Falco fields an entry of the configuration reads. An alert that does not have
// them is treated as if the entry were not there, or its expression read "".
type Need struct {
	Pos      Pos
	Key      string // of the entry, such as match.allow[0]
	Fields   []string
	Computed bool // it reads more fields, by names that are not written out
}

// String is one line for people.
func (n Need) String() string {
	fields := slices.Clone(n.Fields)
	if n.Computed {
		fields = append(fields, "fields by computed names")
	}
	return fmt.Sprintf("%s: %s reads %s", n.Pos, n.Key, strings.Join(fields, ", "))
}

// Needs returns the fields that allow entries, rules and sinks read, in this order. c is valid.
func (c *Config) Needs() []Need {
	var needs []Need
	add := func(p path, fields []string, computed bool) {
		if len(fields) == 0 && !computed {
			return
		}
		n := Need{Key: p.String(), Fields: fields, Computed: computed}
		if c.origin != nil {
			n.Pos = c.origin.doc.pos(c.origin.place(p))
		}
		needs = append(needs, n)
	}
	for i := range c.Match.Allow {
		add(path{"match", "allow"}.index(i), []string{"container.image.digest", "proc.pexepath", "proc.args"}, false)
	}
	for i, r := range c.Match.Rules {
		if program, err := when.Compile(r.When); err == nil {
			fields, computed := program.Fields()
			add(path{"match", "rules"}.index(i).with("when"), fields, computed)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Sinks)) {
		fields, computed := c.Sinks[name].When.Fields()
		add(path{"sinks", name, "when"}, fields, computed)
	}
	return needs
}

// AppendOutput returns the part of falco.yaml (0.39 and later) that adds the fields to every alert
// about system calls; empty if there are none.
func AppendOutput(needs []Need) string {
	fields := map[string]bool{}
	for _, n := range needs {
		for _, name := range n.Fields {
			fields[name] = true
		}
	}
	if len(fields) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("append_output:\n  - match:\n      source: syscall\n    extra_fields:\n")
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		b.WriteString("      - " + name + "\n")
	}
	return b.String()
}

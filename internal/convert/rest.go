package convert

import (
	"regexp"
	"slices"
	"strings"
)

// toFalcosidekick leaves an output with Falcosidekick.
func (c *conversion) toFalcosidekick(s *section, done converted, why string) {
	c.stay = append(c.stay, done)
	what := "with Falcosidekick, by the sink falcosidekick: " + why
	c.noteAt(Note{File: done.file, Line: done.line, Key: s.path, Kind: Stays, What: what})
	if _, has := s.keys["minimumpriority"]; !has || s.text("minimumpriority") == "" {
		return
	}
	text := "a report has the priority of its severity: critical Critical, high Error, medium Warning, low Notice"
	if least := strings.ToLower(s.text("minimumpriority")); least == "emergency" || least == "alert" {
		s.note(Stays, "minimumpriority", "%s", "no report reaches this output, since none is above Critical: "+text)
	} else if least != "debug" {
		s.note(Stays, "minimumpriority", "%s", text)
	}
}

// falcosidekick makes the sink for all outputs that stay.
func (c *conversion) falcosidekick() field {
	var names []string
	for _, s := range c.stay {
		names = append(names, s.path)
	}
	// Without an address: a wrong guess could be that of filelessd itself, which would take each report and do nothing
	// with it.
	url := c.refer(Variable{
		Name: "FALCOSIDEKICK_URL",
		How: "the address of a second Falcosidekick that has only the outputs that stay (--rest FILE writes its configuration), such as http://127.0.0.1:2802/. " +
			"One that has the others too sends each report twice",
	}, "", "http://127.0.0.1:2802/")
	f := fields{{key: "type", value: "falcosidekick"}, {key: "url", value: url}}
	return field{"falcosidekick", f, "for " + strings.Join(names, ", ")}
}

// rest writes what a Falcosidekick behind filelessd is configured with: the input without the outputs that
// have become sinks, and without those that count alerts or are off.
func (c *conversion) rest() []byte {
	kept := c.global.n.clone()
	for _, o := range outputs() {
		stays := slices.ContainsFunc(c.stay, func(s converted) bool { return s.path == o.path })
		if stays || o.group {
			continue
		}
		kept.remove(strings.Split(o.path, "."))
	}
	for _, o := range outputs() { // groups below which nothing is left
		below := func(s converted) bool { return strings.HasPrefix(s.path, o.path+".") }
		if o.group && !slices.ContainsFunc(c.stay, below) {
			kept.remove([]string{o.path})
		}
	}
	for _, name := range []string{"existingsecret", "extraenv"} { // of Helm: they can switch on what was taken out
		kept.remove([]string{name})
	}
	head := "For a Falcosidekick behind filelessd: what is left of " + shown(c.in.Name) + ". It has secrets. It takes reports, so it must not be the one that Falco posts to."
	if c.ofHelm {
		head += " These are values of Falcosidekick's Helm chart."
		kept = &node{kind: mapping, entries: []*entry{{key: "config", value: kept}}}
	}
	var b strings.Builder
	for _, line := range wrap(head, 98) {
		b.WriteString("# " + line + "\n")
	}
	kept.write(&b, 0)
	return []byte(b.String())
}

func (n *node) clone() *node {
	if n == nil {
		return nil
	}
	c := *n
	c.entries = nil
	for _, e := range n.entries {
		c.entries = append(c.entries, &entry{e.key, e.line, e.value.clone()})
	}
	return &c
}

// remove takes away what stands under a path.
func (n *node) remove(path []string) {
	if n == nil {
		return
	}
	if len(path) > 1 {
		n.get(path[0]).remove(path[1:])
		return
	}
	n.entries = slices.DeleteFunc(n.entries, func(e *entry) bool { return strings.EqualFold(e.key, path[0]) })
}

// write writes the entries of a mapping as YAML that says the same.
func (n *node) write(b *strings.Builder, indent int) {
	before := strings.Repeat("  ", indent)
	for i, e := range n.entries {
		if slices.ContainsFunc(n.entries[i+1:], func(later *entry) bool { return strings.EqualFold(later.key, e.key) }) {
			continue
		}
		b.WriteString(before + quote(e.key) + ":")
		if e.value.kind == mapping && len(e.value.entries) > 0 {
			b.WriteString("\n")
			e.value.write(b, indent+1)
			continue
		}
		b.WriteString(" " + e.value.inline() + "\n")
	}
}

// inline writes a value on one line.
func (n *node) inline() string {
	switch n.kind {
	case null:
		return "null"
	case scalar:
		if !n.quoted && asIs.MatchString(n.text) && strings.Trim(n.text, "-.") != "" {
			return n.text
		}
		return quote(n.text)
	}
	var parts []string
	for _, item := range n.items {
		parts = append(parts, item.inline())
	}
	for _, e := range n.entries {
		parts = append(parts, quote(e.key)+": "+e.value.inline())
	}
	if n.kind == list {
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// asIs is a plain scalar that may be a number or a truth value, which quotes would make a text.
var asIs = regexp.MustCompile(`^[0-9A-Za-z+._-]+$`)

package convert

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// secret returns a reference to the environment variable that Falcosidekick itself would take the key from.
func (s *section) secret(name string) reference {
	return s.variable(variableOf(s.key(name)), name, s.text(name), "")
}

// variable returns a reference to an environment variable that is to have value, which comes from a key. how says
// what it has to have if that is not just the key's value.
func (s *section) variable(variable, name, value, how string) reference {
	file, line := s.place(name)
	return s.refer(Variable{Name: variable, Key: s.key(name), Line: line, How: how}, file, value)
}

// refer returns a reference to a variable. Two of one name with different values get different names.
func (c *conversion) refer(v Variable, file, value string) reference {
	name := v.Name
	for n := 2; ; n++ {
		before, taken := c.values[v.Name]
		if taken && before == value {
			return reference("${" + v.Name + "}")
		}
		if !taken {
			break
		}
		v.Name = fmt.Sprintf("%s_%d", name, n)
	}
	c.values[v.Name] = value
	c.variables = append(c.variables, v)
	what := "the value is not copied: set " + v.Name + " to it"
	switch {
	case v.How != "":
		what = "set " + v.Name + " to " + v.How
	case v.Name == variableOf(v.Key):
		what += ", as Falcosidekick's own environment may have it already"
	}
	c.noteAt(Note{File: file, Line: v.Line, Key: v.Key, Kind: Secret, What: what, Variable: v.Name})
	return reference("${" + v.Name + "}")
}

// open reports whether an address holds nothing that could be a secret: neither a user nor a query. Of what is no
// URL nobody knows.
func open(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.User == nil && u.RawQuery == "" && u.Fragment == "" && !strings.ContainsAny(address, "@?#")
}

// address returns the URL under a key as it is if it holds no secret, with what change makes of it.
func (s *section) address(name string, change func(string) string) any {
	whole := s.text(name)
	value := change(whole)
	if open(value) {
		return value
	}
	if value != whole { // and so not what Falcosidekick's variable has
		return s.variable(variableOf(s.key(name))+"_URL", name, value, "the value of this key without the path that filelessd adds itself")
	}
	return s.variable(variableOf(s.key(name)), name, value, "")
}

// headers returns the custom headers, each value a secret. Those that filelessd sets itself are left out.
func (s *section) headers(name string) fields {
	var all fields
	pairs := s.pairs(name)
	slices.SortStableFunc(pairs, func(a, b pair) int { return strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name)) })
	for i, p := range pairs {
		if i > 0 && strings.EqualFold(pairs[i-1].name, p.name) {
			s.noteAt(Note{Line: p.line, Key: s.key(name) + "." + shown(p.name), Kind: Bad, What: "the same header again; one of them is enough"})
			continue
		}
		if strings.HasPrefix(strings.ToLower(p.name), "content-") {
			s.noteAt(Note{Line: p.line, Key: s.key(name) + "." + shown(p.name), Kind: Dropped, What: "filelessd sets this header itself"})
			continue
		}
		all.add(p.name, s.headerValue(name, p, same))
	}
	return all
}

// headerValue is a reference to the value of one header, which read makes of what is written. Falcosidekick takes all
// headers from one variable, so this one has a name of ours.
func (s *section) headerValue(name string, p pair, read func(string) string) reference {
	file, line := s.place(name)
	if file == "" && p.line > 0 {
		line = p.line
	}
	v := Variable{Name: variableOf(s.key(name) + "." + p.name), Key: s.key(name) + "." + shown(p.name), Line: line, How: "the value of this header"}
	value := read(p.value)
	if value != p.value {
		v.How += " without the escapes of a URL: a blank for %20, = for %3D"
	}
	return s.refer(v, file, value)
}

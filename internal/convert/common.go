package convert

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/filelessd/filelessd/pkg/event"
)

// common makes the keys that every sink has.
func (s *section) common() fields {
	var f fields
	if _, has := s.keys["minimumpriority"]; has {
		f.addSet("when", s.when())
	}
	if _, has := s.keys["maxconcurrentrequests"]; has && s.given("maxconcurrentrequests") {
		const most = 64
		switch n := s.number("maxconcurrentrequests"); {
		case n > most || n == 0:
			f.add("concurrency", most)
			s.note(Converted, "maxconcurrentrequests", "concurrency: %d, which is the most", most)
		default:
			f.add("concurrency", n)
		}
	}
	return f
}

// when is the least priority as an expression. Reports of filelessd about itself have no priority, and go
// to every sink: that alerts were lost is nothing to filter by the priority of an alert.
func (s *section) when() string {
	least := s.text("minimumpriority")
	if least == "" {
		return ""
	}
	if (s.path == "smtp" || s.path == "otlp.logs") && strings.EqualFold(least, "info") {
		least = event.Informational.String() // the other outputs refuse this short name before they look for it
	}
	var names []string
	for p := event.Emergency; p <= event.Debug; p++ {
		names = append(names, strconv.Quote(p.String()))
		if !strings.EqualFold(p.String(), least) {
			continue
		}
		if p == event.Debug { // the lowest: all
			return ""
		}
		text := "the `when` of the sink, by the priority of Falco's rule; reports of filelessd about itself have none and always go. The severity of a report says more: `severity >= high`"
		if p < event.Critical {
			text += ". Falco's rule for execution from memory has the priority Critical: this sink does not get it"
		}
		s.note(Converted, "minimumpriority", "%s", text)
		return `priority in ["", ` + strings.Join(names, ", ") + "]"
	}
	s.note(Bad, "minimumpriority", "no priority; Falcosidekick takes that for none, and so the sink gets every report")
	return ""
}

// tls makes the keys about certificates, for an output that speaks TLS if secure.
func (s *section) tls(secure bool) fields {
	mutual, check := false, true
	if _, has := s.keys["mutualtls"]; has {
		mutual = s.boolean("mutualtls")
	}
	if _, has := s.keys["checkcert"]; has {
		check = s.boolean("checkcert")
	}
	switch {
	case !secure && mutual:
		s.note(Dropped, "mutualtls", "the address is one without TLS")
		return nil
	case !secure && !check:
		s.note(Dropped, "checkcert", "the address is one without TLS")
		return nil
	case !secure:
		return nil
	case !check && !mutual:
		s.note(Dropped, "checkcert", "%s", alwaysChecked)
	}
	var f fields
	if mutual {
		s.note(Converted, "mutualtls", "the `tls` of the sink. %s", instead)
		f.add("ca_file", s.certificate("cacertfile", "ca.crt"))
		f.add("cert_file", s.certificate("certfile", "client.crt"))
		f.add("key_file", s.certificate("keyfile", "client.key"))
		return fields{{key: "tls", value: f}}
	}
	// The authorities of tlsclient are for Falcosidekick's own HTTP client. Outputs with another client (mail, OTLP)
	// know the system's only, and have no mutualtls.
	_, own := s.keys["mutualtls"]
	if ca := s.global.n.get("tlsclient").get("cacertfile"); own && ca != nil && ca.text != "" {
		s.usesTLS("tlsclient")
		return fields{{key: "tls", value: fields{{key: "ca_file", value: ca.text}}}}
	}
	return nil
}

const (
	alwaysChecked = "filelessd always checks certificates. One of an authority of your own needs `tls.ca_file`; without it deliveries fail, and are tried again until it is there"
	// instead is said wherever a ca_file is written.
	instead = "filelessd trusts the authorities of `tls.ca_file` instead of the system's, where Falcosidekick trusts both: " +
		"for a receiver with a certificate of a public authority, such as Slack, take ca_file out, or put those authorities into that file too"
)

// certificate is the file of mutual TLS that Falcosidekick has under a common name, or in the common folder.
func (s *section) certificate(name, file string) string {
	if v := s.global.n.get("mutualtlsclient").get(name); v != nil && v.text != "" {
		s.usesTLS("mutualtlsclient")
		return v.text
	}
	s.usesTLS("mutualtlsfilespath")
	return s.global.text("mutualtlsfilespath") + "/" + file
}

// usesTLS remembers that this output's sink has something of a key about certificates.
func (s *section) usesTLS(key string) {
	if !slices.Contains(s.tlsUsed[key], s.path) {
		s.tlsUsed[key] = append(s.tlsUsed[key], s.path)
	}
}

// tlsTold says what became of the certificates.
func (c *conversion) tlsTold() {
	g := c.global
	for _, name := range []string{"mutualtlsfilespath", "mutualtlsclient", "tlsclient"} {
		var have []string
		for _, s := range c.sinks {
			if slices.Contains(c.tlsUsed[name], s.path) {
				have = append(have, s.name)
			}
		}
		switch {
		case !g.given(name):
		case len(have) > 0:
			g.note(Converted, name, "the `tls` of %s. %s", strings.Join(have, ", "), instead)
		default:
			g.note(Dropped, name, "no sink here needs it")
		}
		g.used[name] = true
	}
}

// secure reports whether an address is one with TLS.
func secure(address string) bool {
	return strings.HasPrefix(strings.ToLower(address), "https://")
}

// label is a custom field as a label.
type label struct {
	pair
	field string // the name that the field has
}

// customFields returns the fields that Falcosidekick adds to each alert, and says which can be no labels.
func (c *conversion) customFields() []label {
	var all []label
	for _, p := range c.global.pairs("customfields") {
		name := strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
				return r
			}
			return '_'
		}, p.name)
		if name[0] >= '0' && name[0] <= '9' {
			name = "_" + name
		}
		switch {
		case p.value == "":
			c.fieldNote(p, p.name, Dropped, "it is empty")
		case strings.HasPrefix(name, "__"):
			c.fieldNote(p, p.name, Dropped, "no label may begin with __")
		case slices.ContainsFunc(all, func(l label) bool { return l.name == name }):
			c.fieldNote(p, p.name, Dropped, "another field becomes the label "+name)
		default:
			all = append(all, label{pair{name, p.value, p.line, p.file}, p.name})
		}
	}
	return all
}

// fieldNote says something of one custom field.
func (c *conversion) fieldNote(p pair, field string, k Kind, what string) {
	c.noteAt(Note{File: p.file, Line: p.line, Key: "customfields." + shown(field), Kind: k, What: what})
}

// withLabels adds the custom fields to labels, but for names that are taken.
func (s *section) withLabels(labels fields, taken ...string) fields {
	for _, f := range labels {
		taken = append(taken, f.key)
	}
	for _, l := range s.labels {
		if slices.Contains(taken, l.name) {
			s.fieldNote(l.pair, l.field, Dropped, "the sink for "+s.path+" has the label "+l.name+" already")
			continue
		}
		labels.add(l.name, s.labelValue(l.pair))
		s.labelled[s.path] = true
	}
	return labels
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// labelValue is the value of a custom field. Of those in its environment, %NAME is another variable.
func (s *section) labelValue(p pair) any {
	name, ok := strings.CutPrefix(p.value, "%")
	if !ok || p.file == "" || !variableName.MatchString(name) {
		return p.value
	}
	return s.refer(Variable{Name: name, Key: "customfields", Line: p.line, How: "what it is for Falcosidekick"}, p.file, "value")
}

// fieldsTold says what became of the custom fields.
func (c *conversion) fieldsTold() {
	g := c.global
	if len(c.labels) == 0 { // none, or notes say why not
		return
	}
	var have []string
	for _, s := range c.sinks {
		if c.labelled[s.path] {
			have = append(have, s.name)
		}
	}
	if len(have) == 0 {
		g.note(Dropped, "customfields", "reports have no fields of your own, and none of these sinks has labels")
		return
	}
	g.note(Converted, "customfields", "labels of %s; the other sinks have none", strings.Join(have, ", "))
	for _, l := range c.labels {
		if l.name != l.field {
			c.fieldNote(l.pair, l.field, Converted, "the label is "+l.name)
		}
	}
}

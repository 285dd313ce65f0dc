package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/filelessd/filelessd/internal/when"
)

// Validate returns all that is wrong with c in one *Error. What Load returns is valid.
func (c *Config) Validate() error { return c.document().report(c.findings()) }

// document is what c was read from; an empty one if it was not read.
func (c *Config) document() *document {
	if c.origin == nil {
		return &document{}
	}
	return c.origin.doc
}

// validation collects what is wrong with a configuration.
type validation struct {
	c     *Config
	found []finding
}

func (c *Config) findings() []finding {
	v := &validation{c: c}
	v.oneOf(path{"log", "level"}, c.Log.Level, "debug", "info", "warn", "error")
	v.oneOf(path{"log", "format"}, c.Log.Format, "json", "console")
	v.check(c.DataDir != "", path{"data_dir"}, "missing")
	v.check(c.DrainTimeout >= 0, path{"drain_timeout"}, "want 0 or more, got %s", c.DrainTimeout)
	v.errors(path{"http"}, c.HTTP.Validate())
	v.errors(path{"store"}, c.Store.Validate())
	v.errors(path{"grouping"}, c.Grouping.Validate())
	v.errors(path{"grpc"}, c.GRPC.Validate())
	v.errors(path{"pprof"}, c.Pprof.Validate())
	v.check(len(c.Sources) > 0, path{"sources"}, "there are no sources: want at least one")
	for _, name := range slices.Sorted(maps.Keys(c.Sources)) {
		v.errors(path{"sources", name}, c.Sources[name].validate())
	}
	v.check(len(c.Sinks) > 0, path{"sinks"}, "there are no sinks: reports would go nowhere")
	for _, name := range slices.Sorted(maps.Keys(c.Sinks)) {
		s, p := c.Sinks[name], path{"sinks", name}
		v.errors(p, s.Policy.Validate())
		v.errors(p, s.Config.Validate())
		v.expression(p.with("when"), s.Policy.When)
	}
	v.addresses()
	return append(v.found, c.matchFindings()...)
}

func (v *validation) check(ok bool, p path, format string, args ...any) {
	if ok {
		return
	}
	f := finding{path: p, message: fmt.Sprintf(format, args...)}
	if o := v.c.origin; o != nil {
		f.at, f.message = o.place(p), o.redact(p, f.message)
	}
	v.found = append(v.found, f)
}

func (v *validation) oneOf(p path, got string, want ...string) {
	last := len(want) - 1
	v.check(slices.Contains(want, got), p, "want %s or %s, got %q", strings.Join(want[:last], ", "), want[last], got)
}

var keyPrefix = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*): `)

// errors adds what a Validate method returned: joined errors of which each begins with the key it
// is about, below p.
func (v *validation) errors(p path, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // the tree itself is wanted
		for _, e := range joined.Unwrap() {
			v.errors(p, e)
		}
		return
	}
	if err == nil {
		return
	}
	message := err.Error()
	if key := keyPrefix.FindStringSubmatch(message); key != nil {
		message = message[len(key[0]):]
		p = p.with(strings.Split(key[1], ".")...)
	}
	v.check(false, p, "%s", message)
}

// expression checks a `when` and returns the program, nil if there is a mistake.
func (v *validation) expression(p path, text string) *when.Program {
	program, err := when.Compile(text)
	if mistake, ok := errors.AsType[*when.Error](err); ok {
		v.mistake(p, mistake)
		return nil
	}
	if v.c.origin == nil {
		return program
	}
	known := v.c.origin.env.Techniques
	for _, t := range program.Techniques() {
		if !slices.Contains(known, t.Value) {
			message := fmt.Sprintf("technique is never %q%s", t.Value, suggest(t.Value, known))
			v.mistake(p, &when.Error{Line: t.Line, Column: t.Column, Message: message})
		}
	}
	return program
}

// mistake adds a mistake in the expression at p, at its place in the file if that can be told. Of
// an expression that was filled in it tells no more than the place in the result.
func (v *validation) mistake(p path, m *when.Error) {
	o := v.c.origin
	if o == nil {
		v.check(false, p, "%s", m)
		return
	}
	at, n := o.doc.find(p)
	message := m.Message
	exact := false
	if o.expanded(p) != nil {
		message = "not an expression with what is filled in"
	} else if n != nil && n.kind == scalar {
		at.line, at.column, exact = o.doc.inside(n, m.Line, m.Column)
		if o.doc.commentBehind(n) {
			message += ` (YAML reads " #" as a comment: put the expression in quotes)`
		}
	}
	if !exact {
		message += fmt.Sprintf(" (at %d:%d of the expression)", m.Line, m.Column)
	}
	v.found = append(v.found, finding{p, at, message})
}

// commentBehind reports whether a comment follows a plain scalar on its line.
func (d *document) commentBehind(n *node) bool {
	end, _ := d.end(n)
	text := d.line(n.line)
	return n.style == plain && end <= len(text) && strings.HasPrefix(strings.TrimSpace(string(text[end-1:])), "#")
}

// addresses finds listeners that are in each other's way.
func (v *validation) addresses() {
	type listener struct {
		path    path
		address string
	}
	listeners := []listener{
		{path{"http", "listen"}, v.c.HTTP.Listen}, {path{"grpc", "listen"}, v.c.GRPC.Listen}, {path{"pprof", "listen"}, v.c.Pprof.Listen},
	}
	for _, name := range slices.Sorted(maps.Keys(v.c.Sources)) {
		if http := v.c.Sources[name].HTTP; http != nil {
			listeners = append(listeners, listener{path{"sources", name, "listen"}, http.Listen})
		}
	}
	for i, a := range listeners {
		for _, b := range listeners[:i] {
			if sameAddress(a.address, b.address) {
				v.check(false, a.path, "the same address as %s", b.path)
				break
			}
		}
	}
}

// sameAddress reports whether two listeners can not have the addresses a and b at the same time.
func sameAddress(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB || portA == "0" {
		return false
	}
	ipA, ipB := addressOf(hostA), addressOf(hostB)
	return ipA.IsUnspecified() || ipB.IsUnspecified() || strings.EqualFold(hostA, hostB) || ipA != nil && ipA.Equal(ipB)
}

// addressOf returns the IP address of a host as far as it can be told without asking.
func addressOf(host string) net.IP {
	switch host {
	case "":
		return net.IPv6unspecified
	case "localhost":
		return net.IPv4(127, 0, 0, 1)
	default:
		return net.ParseIP(host)
	}
}

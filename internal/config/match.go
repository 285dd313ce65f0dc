package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/filelessd/filelessd/internal/match"
)

var digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// matchFindings returns what is wrong with the section match.
func (c *Config) matchFindings() []finding {
	v := &validation{c: c}
	p := path{"match"}
	ids := map[string]bool{}
	for i, r := range c.Match.Rules {
		v.rule(p.with("rules").index(i), r, ids)
	}
	ids = map[string]bool{}
	for i, a := range c.Match.Allow {
		v.allow(p.with("allow").index(i), a, ids)
	}
	for i, name := range c.Match.NetworkServices {
		v.check(name != "", p.with("network_services").index(i), "empty")
	}
	for i, name := range c.Match.Lab {
		v.check(name != "", p.with("lab").index(i), "empty")
	}
	return v.found
}

func (v *validation) rule(p path, r match.Rule, ids map[string]bool) {
	v.id(p, r.ID, ids)
	if o := v.c.origin; r.Technique == "" {
		v.check(false, p.with("technique"), "missing")
	} else if o != nil {
		known := o.env.Techniques
		v.check(slices.Contains(known, r.Technique), p.with("technique"),
			"unknown technique %q%s", r.Technique, suggest(r.Technique, known))
	}
	p = p.with("when")
	if strings.TrimSpace(r.When) == "" {
		v.check(false, p, "missing: say which alerts are meant")
		return
	}
	program := v.expression(p, r.When)
	for _, name := range []string{"technique", "verdict", "confidence", "severity", "score"} {
		v.check(!program.Reads(name), p, "%s is not known yet: rules see the alert before it is analysed", name)
	}
}

func (v *validation) allow(p path, a match.Allow, ids map[string]bool) {
	v.id(p, a.ID, ids)
	v.check(digest.MatchString(a.ImageDigest), p.with("image_digest"), "want sha256: and 64 of 0-9 a-f, got %q", a.ImageDigest)
	v.check(strings.HasPrefix(a.ParentPath, "/"), p.with("parent_path"), "want an absolute path, got %q", a.ParentPath)
	v.check(a.Owner != "", p.with("owner"), "missing: who vouches for this?")
	v.check(a.Reason != "", p.with("reason"), "missing: why is this harmless?")
	v.check(!a.Expires.IsZero(), p.with("expires"), "missing: until when does this hold?")
}

// id checks the ID of a list's element; ids holds those before it.
func (v *validation) id(p path, id string, ids map[string]bool) {
	p = p.with("id")
	v.check(id != "", p, "missing")
	v.check(id == "" || !ids[id], p, "given twice: %q", id)
	ids[id] = true
}

// warnings are remarks on a configuration that is valid.
func (o *origin) warnings(c *Config) []string {
	var warnings []string
	warn := func(p path, message string) {
		warnings = append(warnings, Problem{Pos: o.doc.pos(o.place(p)), Key: p.String(), Message: message}.String())
	}
	for i, a := range c.Match.Allow {
		if a.Expires.Before(o.env.Now) {
			p := path{"match", "allow"}.index(i)
			warn(p.with("expires"), o.redact(p, fmt.Sprintf("the entry %q has expired and means nothing any more", a.ID)))
		}
	}
	return warnings
}

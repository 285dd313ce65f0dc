package report

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/filelessd/filelessd/pkg/event"
)

// read reads a report as Marshal writes it, key by key in that order. It returns false for anything
// else, even if it means the same: that is for encoding/json, which takes several times as long. Every report
// that is delivered later than the newest thousand passes here, so a backlog drains at this pace.
func read(data []byte) (*Report, bool) {
	doc := string(data)
	if !utf8.ValidString(doc) {
		return nil, false
	}
	d := &reader{rest: doc}
	r := d.report()
	return r, !d.bad && d.rest == ""
}

// reader takes a document from its front. Once something is not as expected, it stays bad.
type reader struct {
	rest string
	bad  bool
}

func (d *reader) report() *Report {
	r := &Report{ID: d.text(`{"id":`)}
	r.Kind = Kind(d.text(`,"kind":`))
	r.SchemaVersion = d.text(`,"schema_version":`)
	r.CreatedAt = d.time(`,"created_at":`)
	r.Title = d.text(`,"title":`)
	r.Summary = d.text(`,"summary":`)
	r.Verdict = Verdict(d.text(`,"verdict":`))
	r.Severity = Severity(d.text(`,"severity":`))
	r.Confidence = Confidence(d.text(`,"confidence":`))
	r.Score = d.number(`,"score":`)
	if d.skip(`,"technique":`); !d.null() {
		r.Technique = Technique(d.text(``))
	}
	r.Also = texts[Technique](d, `,"also":`)
	r.Attack = each(d, `,"attack":`, readAttack)
	r.Factors = each(d, `,"factors":`, readFactor)
	r.Findings = each(d, `,"findings":`, readFinding)
	r.Explanations = each(d, `,"explanations":`, readExplanation)
	r.Unknowns = each(d, `,"unknowns":`, readUnknown)
	r.Actions = each(d, `,"actions":`, readAction)
	r.Mitigations = each(d, `,"mitigations":`, readMitigation)
	if d.skip(`,"group":`); !d.null() {
		r.Group = readGroup(d)
	}
	r.About = texts[string](d, `,"about":`)
	r.Analysis.Version = d.text(`,"analysis":{"version":`)
	r.Analysis.Knowledge = d.text(`,"knowledge":`)
	if d.skip(`},"event":`); !d.null() {
		r.Event = d.event()
		if r.Event != nil {
			r.Event.Received = r.CreatedAt
		}
		return r
	}
	d.skip(`}`)
	return r
}

// event is what remains, which has a reader of its own.
func (d *reader) event() *event.Event {
	raw, found := strings.CutSuffix(d.rest, "}")
	e := new(event.Event)
	if d.bad || !found || e.UnmarshalJSON([]byte(raw)) != nil {
		d.bad = true
		return nil
	}
	d.rest = ""
	return e
}

func readAttack(d *reader, a *Attack) {
	a.ID = d.text(`{"id":`)
	a.Name = d.text(`,"name":`)
	a.Tactics = each(d, `,"tactics":`, func(d *reader, t *Tactic) {
		t.ID = d.text(`{"id":`)
		t.Name = d.text(`,"name":`)
		t.Version = d.text(`,"version":`)
	})
}

func readFactor(d *reader, f *Factor) {
	f.ID = d.text(`{"id":`)
	f.Weight = d.number(`,"weight":`)
	f.Reason = d.text(`,"reason":`)
	f.Evidence = texts[string](d, `,"evidence":`)
}

func readFinding(d *reader, f *Finding) {
	f.ID = d.text(`{"id":`)
	f.Statement = d.text(`,"statement":`)
	f.Evidence = texts[string](d, `,"evidence":`)
}

func readExplanation(d *reader, e *Explanation) {
	e.ID = d.text(`{"id":`)
	e.Statement = d.text(`,"statement":`)
	e.For = texts[string](d, `,"for":`)
	e.Against = texts[string](d, `,"against":`)
	e.SettledBy = d.text(`,"settled_by":`)
}

func readUnknown(d *reader, u *Unknown) {
	u.ID = d.text(`{"id":`)
	u.Field = d.text(`,"field":`)
	u.Why = d.text(`,"why":`)
	u.How = d.text(`,"how":`)
}

func readAction(d *reader, a *Action) {
	a.ID = d.text(`{"id":`)
	a.Title = d.text(`,"title":`)
	a.Commands = texts[string](d, `,"commands":`)
	a.Needs = d.text(`,"needs":`)
	a.Risk = d.text(`,"risk":`)
	a.Changes = d.text(`,"changes":`)
	a.Undo = d.text(`,"undo":`)
	a.Why = d.text(`,"why":`)
	a.Results = each(d, `,"results":`, func(d *reader, r *Result) {
		r.If = d.text(`{"if":`)
		r.Then = d.text(`,"then":`)
	})
}

func readMitigation(d *reader, m *Mitigation) {
	m.ID = d.text(`{"id":`)
	m.Title = d.text(`,"title":`)
	m.Why = d.text(`,"why":`)
	m.Effect = d.text(`,"effect":`)
	m.SideEffects = d.text(`,"side_effects":`)
	m.DryRun = d.text(`,"dry_run":`)
	m.Rollback = d.text(`,"rollback":`)
	m.Files = each(d, `,"files":`, func(d *reader, f *File) {
		f.Path = d.text(`{"path":`)
		f.MediaType = d.text(`,"media_type":`)
		f.Content = d.text(`,"content":`)
	})
}

func readGroup(d *reader) *Group {
	g := &Group{Key: d.text(`{"key":`)}
	g.Count = d.number(`,"count":`)
	g.Rules = texts[string](d, `,"rules":`)
	g.FirstTime = d.time(`,"first_time":`)
	g.LastTime = d.time(`,"last_time":`)
	g.Hosts = texts[string](d, `,"hosts":`)
	g.Containers = texts[string](d, `,"containers":`)
	d.skip(`}`)
	return g
}

// skip takes what must come next.
func (d *reader) skip(want string) {
	rest, ok := strings.CutPrefix(d.rest, want)
	if !ok {
		d.bad = true
	}
	d.rest = rest
}

// null takes null, if it is next.
func (d *reader) null() bool {
	rest, ok := strings.CutPrefix(d.rest, "null")
	d.rest = rest
	return ok
}

// text takes a key and a string. The text shares the memory of the document.
func (d *reader) text(key string) string {
	d.skip(key)
	if d.bad || d.rest == "" || d.rest[0] != '"' {
		d.bad = true
		return ""
	}
	escaped := false
	for i := 1; i < len(d.rest); i++ {
		switch c := d.rest[i]; {
		case c == '"':
			raw := d.rest[:i+1]
			d.rest = d.rest[i+1:]
			if !escaped {
				return raw[1:i]
			}
			var s string
			if json.Unmarshal([]byte(raw), &s) != nil {
				d.bad = true
			}
			return s
		case c == '\\':
			escaped = true
			i++
		case c < ' ':
			d.bad = true
			return ""
		}
	}
	d.bad = true
	return ""
}

// number takes a key and an integer.
func (d *reader) number(key string) int {
	d.skip(key)
	end := strings.IndexAny(d.rest, ",}")
	if d.bad || end < 0 {
		d.bad = true
		return 0
	}
	n, err := strconv.Atoi(d.rest[:end])
	if err != nil || strconv.Itoa(n) != d.rest[:end] {
		d.bad = true
	}
	d.rest = d.rest[end:]
	return n
}

// time takes a key and a time, or null.
func (d *reader) time(key string) time.Time {
	if d.skip(key); d.null() {
		return time.Time{}
	}
	t, err := time.Parse(event.TimeLayout, d.text(``))
	if err != nil {
		d.bad = true
	}
	return t
}

func texts[S ~string](d *reader, key string) []S {
	return list(d, key, func(d *reader, s *S) { *s = S(d.text(``)) })
}

// each takes a key and a list of objects, of which one leaves the closing brace.
func each[T any](d *reader, key string, one func(*reader, *T)) []T {
	return list(d, key, func(d *reader, v *T) {
		one(d, v)
		d.skip(`}`)
	})
}

func list[T any](d *reader, key string, one func(*reader, *T)) []T {
	d.skip(key)
	d.skip(`[`)
	all := []T{}
	for !d.bad && !strings.HasPrefix(d.rest, "]") {
		if len(all) > 0 {
			d.skip(`,`)
		}
		var v T
		one(d, &v)
		all = append(all, v)
	}
	d.skip(`]`)
	return all
}

package report

import (
	"bytes"
	"strconv"
	"sync"
	"time"

	"github.com/filelessd/filelessd/pkg/event"
)

// Marshal returns r as one line of JSON without a newline, every key always there. Characters that a
// reader could not see, or that would turn a terminal's text around, stand in it as \u escapes.
//
// It is written by hand because every report passes here at least twice, and encoding/json took a
// quarter of the time that an alert takes in all. The error is always nil; it is there for what
// later versions may hold.
func Marshal(r *Report) ([]byte, error) {
	scratch, ok := scratches.Get().(*[]byte)
	if !ok {
		scratch = new([]byte)
	}
	written := appendReport((*scratch)[:0], r)
	line := EscapeInvisible(written)
	if &line[0] == &written[0] { // nothing was replaced
		line = bytes.Clone(written)
	}
	if *scratch = written; cap(written) <= mostScratch {
		scratches.Put(scratch)
	}
	return line, nil
}

// scratches are where reports are written before their length is known. Guessing the length made twice
// as much garbage.
var scratches = sync.Pool{New: func() any { b := make([]byte, 0, 48<<10); return &b }}

// mostScratch is the longest that is kept: a report can be a thousand times as long as usual.
const mostScratch = 256 << 10

// MarshalJSON writes the same as Marshal.
func (r *Report) MarshalJSON() ([]byte, error) { return Marshal(r) }

func appendReport(b []byte, r *Report) []byte {
	b = appendString(b, `{"id":`, r.ID)
	b = appendString(b, `,"kind":`, r.Kind)
	b = appendString(b, `,"schema_version":`, r.SchemaVersion)
	b = appendTime(b, `,"created_at":`, r.CreatedAt)
	b = appendString(b, `,"title":`, r.Title)
	b = appendString(b, `,"summary":`, r.Summary)
	b = appendString(b, `,"verdict":`, r.Verdict)
	b = appendString(b, `,"severity":`, r.Severity)
	b = appendString(b, `,"confidence":`, r.Confidence)
	b = appendInt(b, `,"score":`, r.Score)
	if r.Technique == "" {
		b = append(b, `,"technique":null`...)
	} else {
		b = appendString(b, `,"technique":`, r.Technique)
	}
	b = appendStrings(b, `,"also":`, r.Also)
	b = appendEach(b, `,"attack":`, r.Attack, appendAttack)
	b = appendEach(b, `,"factors":`, r.Factors, appendFactor)
	b = appendEach(b, `,"findings":`, r.Findings, appendFinding)
	b = appendEach(b, `,"explanations":`, r.Explanations, appendExplanation)
	b = appendEach(b, `,"unknowns":`, r.Unknowns, appendUnknown)
	b = appendEach(b, `,"actions":`, r.Actions, appendAction)
	b = appendEach(b, `,"mitigations":`, r.Mitigations, appendMitigation)
	b = appendGroup(append(b, `,"group":`...), r.Group)
	b = appendStrings(b, `,"about":`, r.About)
	b = appendString(b, `,"analysis":{"version":`, r.Analysis.Version)
	b = appendString(b, `,"knowledge":`, r.Analysis.Knowledge)
	b = append(b, `},"event":`...)
	if r.Event == nil {
		return append(b, `null}`...)
	}
	return append(r.Event.AppendJSON(b), '}')
}

func appendAttack(b []byte, a *Attack) []byte {
	b = appendString(b, `{"id":`, a.ID)
	b = appendString(b, `,"name":`, a.Name)
	return append(appendEach(b, `,"tactics":`, a.Tactics, appendTactic), '}')
}

func appendTactic(b []byte, t *Tactic) []byte {
	b = appendString(b, `{"id":`, t.ID)
	b = appendString(b, `,"name":`, t.Name)
	return append(appendString(b, `,"version":`, t.Version), '}')
}

func appendFactor(b []byte, f *Factor) []byte {
	b = appendString(b, `{"id":`, f.ID)
	b = appendInt(b, `,"weight":`, f.Weight)
	b = appendString(b, `,"reason":`, f.Reason)
	return append(appendStrings(b, `,"evidence":`, f.Evidence), '}')
}

func appendFinding(b []byte, f *Finding) []byte {
	b = appendString(b, `{"id":`, f.ID)
	b = appendString(b, `,"statement":`, f.Statement)
	return append(appendStrings(b, `,"evidence":`, f.Evidence), '}')
}

func appendExplanation(b []byte, e *Explanation) []byte {
	b = appendString(b, `{"id":`, e.ID)
	b = appendString(b, `,"statement":`, e.Statement)
	b = appendStrings(b, `,"for":`, e.For)
	b = appendStrings(b, `,"against":`, e.Against)
	return append(appendString(b, `,"settled_by":`, e.SettledBy), '}')
}

func appendUnknown(b []byte, u *Unknown) []byte {
	b = appendString(b, `{"id":`, u.ID)
	b = appendString(b, `,"field":`, u.Field)
	b = appendString(b, `,"why":`, u.Why)
	return append(appendString(b, `,"how":`, u.How), '}')
}

func appendAction(b []byte, a *Action) []byte {
	b = appendString(b, `{"id":`, a.ID)
	b = appendString(b, `,"title":`, a.Title)
	b = appendStrings(b, `,"commands":`, a.Commands)
	b = appendString(b, `,"needs":`, a.Needs)
	b = appendString(b, `,"risk":`, a.Risk)
	b = appendString(b, `,"changes":`, a.Changes)
	b = appendString(b, `,"undo":`, a.Undo)
	b = appendString(b, `,"why":`, a.Why)
	return append(appendEach(b, `,"results":`, a.Results, appendResult), '}')
}

func appendResult(b []byte, r *Result) []byte {
	b = appendString(b, `{"if":`, r.If)
	return append(appendString(b, `,"then":`, r.Then), '}')
}

func appendMitigation(b []byte, m *Mitigation) []byte {
	b = appendString(b, `{"id":`, m.ID)
	b = appendString(b, `,"title":`, m.Title)
	b = appendString(b, `,"why":`, m.Why)
	b = appendString(b, `,"effect":`, m.Effect)
	b = appendString(b, `,"side_effects":`, m.SideEffects)
	b = appendString(b, `,"dry_run":`, m.DryRun)
	b = appendString(b, `,"rollback":`, m.Rollback)
	return append(appendEach(b, `,"files":`, m.Files, appendFile), '}')
}

func appendFile(b []byte, f *File) []byte {
	b = appendString(b, `{"path":`, f.Path)
	b = appendString(b, `,"media_type":`, f.MediaType)
	return append(appendString(b, `,"content":`, f.Content), '}')
}

func appendGroup(b []byte, g *Group) []byte {
	if g == nil {
		return append(b, "null"...)
	}
	b = appendString(b, `{"key":`, g.Key)
	b = appendInt(b, `,"count":`, g.Count)
	b = appendStrings(b, `,"rules":`, g.Rules)
	b = appendTime(b, `,"first_time":`, g.FirstTime)
	b = appendTime(b, `,"last_time":`, g.LastTime)
	b = appendStrings(b, `,"hosts":`, g.Hosts)
	return append(appendStrings(b, `,"containers":`, g.Containers), '}')
}

func appendString[S ~string](b []byte, key string, s S) []byte {
	return event.AppendQuoted(append(b, key...), string(s))
}

func appendInt(b []byte, key string, n int) []byte {
	return strconv.AppendInt(append(b, key...), int64(n), 10)
}

// appendTime writes nine decimals, or null for the zero time.
func appendTime(b []byte, key string, t time.Time) []byte {
	b = append(b, key...)
	if t.IsZero() {
		return append(b, "null"...)
	}
	return append(t.UTC().AppendFormat(append(b, '"'), event.TimeLayout), '"')
}

func appendStrings[S ~string](b []byte, key string, list []S) []byte {
	b = append(append(b, key...), '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = event.AppendQuoted(b, string(s))
	}
	return append(b, ']')
}

func appendEach[T any](b []byte, key string, list []T, one func([]byte, *T) []byte) []byte {
	b = append(append(b, key...), '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(b, &list[i])
	}
	return append(b, ']')
}

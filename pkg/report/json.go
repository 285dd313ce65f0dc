package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/filelessd/filelessd/pkg/event"
)

// reportJSON is the JSON form: every key always there, in this order.
type reportJSON struct {
	ID            string        `json:"id"`
	Kind          Kind          `json:"kind"`
	SchemaVersion string        `json:"schema_version"`
	CreatedAt     jsonTime      `json:"created_at"`
	Title         string        `json:"title"`
	Summary       string        `json:"summary"`
	Verdict       Verdict       `json:"verdict"`
	Severity      Severity      `json:"severity"`
	Confidence    Confidence    `json:"confidence"`
	Score         int           `json:"score"`
	Technique     *Technique    `json:"technique"`
	Also          []Technique   `json:"also"`
	Attack        []Attack      `json:"attack"`
	Factors       []Factor      `json:"factors"`
	Findings      []Finding     `json:"findings"`
	Explanations  []Explanation `json:"explanations"`
	Unknowns      []Unknown     `json:"unknowns"`
	Actions       []Action      `json:"actions"`
	Mitigations   []Mitigation  `json:"mitigations"`
	Group         *groupJSON    `json:"group"`
	About         []string      `json:"about"`
	Analysis      Analysis      `json:"analysis"`
	Event         *event.Event  `json:"event"`
}

type groupJSON struct {
	Key        string   `json:"key"`
	Count      int      `json:"count"`
	Rules      []string `json:"rules"`
	FirstTime  jsonTime `json:"first_time"`
	LastTime   jsonTime `json:"last_time"`
	Hosts      []string `json:"hosts"`
	Containers []string `json:"containers"`
}

// jsonTime is written with nine decimals, or as null if zero.
type jsonTime struct{ time.Time }

func (t jsonTime) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + event.FormatTime(t.Time) + `"`), nil
}

// Marshal returns r as one line of JSON without a newline. Characters that a reader could not see,
// or that would turn a terminal's text around, stand in it as \u escapes.
func Marshal(r *Report) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r.form()); err != nil {
		return nil, fmt.Errorf("report %s: %w", r.ID, err)
	}
	return escapeInvisible(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}

// MarshalJSON writes the same as Marshal.
func (r *Report) MarshalJSON() ([]byte, error) { return Marshal(r) }

// UnmarshalJSON reads what MarshalJSON wrote; unknown keys are ignored.
func (r *Report) UnmarshalJSON(data []byte) error {
	var j reportJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*r = j.report()
	return nil
}

func (r *Report) form() reportJSON {
	j := reportJSON{
		ID: r.ID, Kind: r.Kind, SchemaVersion: r.SchemaVersion, CreatedAt: jsonTime{r.CreatedAt},
		Title: r.Title, Summary: r.Summary, Analysis: r.Analysis, About: list(r.About),
		Also: list(r.Also), Event: r.Event, Verdict: r.Verdict, Confidence: r.Confidence,
		Severity: r.Severity, Score: r.Score, Unknowns: list(r.Unknowns),
	}
	if r.Technique != "" {
		j.Technique = &r.Technique
	}
	if g := r.Group; g != nil {
		j.Group = &groupJSON{
			Key: g.Key, Count: g.Count, Rules: list(g.Rules), FirstTime: jsonTime{g.FirstTime},
			LastTime: jsonTime{g.LastTime}, Hosts: list(g.Hosts), Containers: list(g.Containers),
		}
	}
	j.Attack = filled(r.Attack, func(a *Attack) { a.Tactics = list(a.Tactics) })
	j.Factors = filled(r.Factors, func(f *Factor) { f.Evidence = list(f.Evidence) })
	j.Findings = filled(r.Findings, func(f *Finding) { f.Evidence = list(f.Evidence) })
	j.Explanations = filled(r.Explanations, func(e *Explanation) {
		e.For, e.Against = list(e.For), list(e.Against)
	})
	j.Actions = filled(r.Actions, func(a *Action) { a.Commands = list(a.Commands) })
	j.Mitigations = filled(r.Mitigations, func(m *Mitigation) { m.Files = list(m.Files) })
	return j
}

func (j *reportJSON) report() Report {
	r := Report{
		ID: j.ID, Kind: j.Kind, SchemaVersion: j.SchemaVersion, CreatedAt: j.CreatedAt.Time,
		Title: j.Title, Summary: j.Summary, Analysis: j.Analysis, About: j.About,
		Also: j.Also, Event: j.Event, Verdict: j.Verdict, Confidence: j.Confidence,
		Severity: j.Severity, Score: j.Score, Unknowns: j.Unknowns, Attack: j.Attack,
		Factors: j.Factors, Findings: j.Findings, Explanations: j.Explanations,
		Actions: j.Actions, Mitigations: j.Mitigations,
	}
	if j.Technique != nil {
		r.Technique = *j.Technique
	}
	if g := j.Group; g != nil {
		r.Group = &Group{
			Key: g.Key, Count: g.Count, Rules: g.Rules, FirstTime: g.FirstTime.Time,
			LastTime: g.LastTime.Time, Hosts: g.Hosts, Containers: g.Containers,
		}
	}
	if r.Event != nil {
		r.Event.Received = r.CreatedAt
	}
	return r
}

// list returns s, never nil, so that it is written as [].
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// filled returns a copy of s, never nil, with fill applied to each element.
func filled[T any](s []T, fill func(*T)) []T {
	out := make([]T, len(s))
	for i := range s {
		out[i] = s[i]
		fill(&out[i])
	}
	return out
}

// escapeInvisible replaces the invisible characters of valid JSON by \u escapes. Outside of
// strings JSON has only ASCII, so every such character stands in one.
func escapeInvisible(data []byte) []byte {
	i := firstInvisible(data)
	if i < 0 {
		return data
	}
	out := append(make([]byte, 0, len(data)+64), data[:i]...)
	for i < len(data) {
		r, size := utf8.DecodeRune(data[i:])
		if invisible(r) && r > ' ' {
			out = appendEscapeUTF16(out, r)
		} else {
			out = append(out, data[i:i+size]...)
		}
		i += size
	}
	return out
}

func firstInvisible(data []byte) int {
	for i := 0; i < len(data); {
		if data[i] < 0x7f {
			i++
			continue
		}
		r, size := utf8.DecodeRune(data[i:])
		if invisible(r) {
			return i
		}
		i += size
	}
	return -1
}

package report

import (
	"encoding/binary"
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/filelessd/filelessd/pkg/event"
)

// reportJSON is the JSON form as it is read; encode.go writes it.
type reportJSON struct {
	ID            string        `json:"id"`
	Kind          Kind          `json:"kind"`
	SchemaVersion string        `json:"schema_version"`
	CreatedAt     time.Time     `json:"created_at"`
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
	Key        string    `json:"key"`
	Count      int       `json:"count"`
	Rules      []string  `json:"rules"`
	FirstTime  time.Time `json:"first_time"`
	LastTime   time.Time `json:"last_time"`
	Hosts      []string  `json:"hosts"`
	Containers []string  `json:"containers"`
}

// UnmarshalJSON reads what MarshalJSON wrote; unknown keys are ignored.
func (r *Report) UnmarshalJSON(data []byte) error {
	if fast, ok := read(data); ok {
		*r = *fast
		return nil
	}
	var j reportJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*r = j.report()
	return nil
}

func (j *reportJSON) report() Report {
	r := Report{
		ID: j.ID, Kind: j.Kind, SchemaVersion: j.SchemaVersion, CreatedAt: j.CreatedAt,
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
			Key: g.Key, Count: g.Count, Rules: g.Rules, FirstTime: g.FirstTime,
			LastTime: g.LastTime, Hosts: g.Hosts, Containers: g.Containers,
		}
	}
	if r.Event != nil {
		r.Event.Received = r.CreatedAt
	}
	return r
}

// EscapeInvisible replaces the invisible characters of valid JSON by \u escapes, which mean the
// same. Outside of strings JSON has only ASCII, so every such character stands in one.
func EscapeInvisible(data []byte) []byte {
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
		if len(data)-i >= 8 {
			// The sum lifts 0x7f to 0x80, so a top bit stands for a byte that needs a look.
			v := binary.LittleEndian.Uint64(data[i:])
			if (v|(v+0x0101010101010101))&0x8080808080808080 == 0 {
				i += 8
				continue
			}
		}
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

// Package report holds what filelessd says of one alert, or of several: a plain value that steps
// complete, renderers write and sinks deliver.
//
// Everything that came from an alert was chosen by whoever ran the program that set it off. Sinks
// escape such text for the place they put it; Visible shows what a reader could not see.
package report

import (
	"time"

	"github.com/filelessd/filelessd/pkg/event"
)

// SchemaVersion is the version of a report's JSON form: the minor part grows with new keys, the
// major part when a key changes its meaning.
const SchemaVersion = "1.0"

// A Report is the analysis of one alert, or (other kinds) a statement about several. Sinks must
// not change it: it is shared between them.
type Report struct {
	// ID is, for an alert, the alert's ID; the same alert has the same report, however often and
	// on whichever road it comes.
	ID            string
	Kind          Kind
	SchemaVersion string
	CreatedAt     time.Time // when the alert was received
	Title         string    // one line of plain text
	Summary       string    // one paragraph of plain text
	Analysis      Analysis
	Group         *Group
	About         []string // IDs of the alerts, or the group's key; empty for an alert

	Event     *event.Event // nil for kinds without an event
	Technique Technique    // the first of the taxonomy that holds; empty without an event
	Also      []Technique  // the others that hold
	Attack    []Attack

	Verdict    Verdict
	Confidence Confidence
	Severity   Severity
	Score      int // 0 to 100

	Factors      []Factor      // why the score is what it is
	Findings     []Finding     // what the alert shows
	Explanations []Explanation // most likely first
	Unknowns     []Unknown     // what the alert does not say
	Actions      []Action
	Mitigations  []Mitigation
}

// Kind says what a report is about.
type Kind string

// The kinds of reports.
const (
	KindAlert       Kind = "alert"       // one alert
	KindUpdate      Kind = "update"      // what was learnt later about an alert
	KindSummary     Kind = "summary"     // repeats of one attack
	KindSuppression Kind = "suppression" // what was withheld, and by what
	KindLoss        Kind = "loss"        // what filelessd itself lost
	KindQuiet       Kind = "quiet"       // a source went silent
	KindTest        Kind = "test"        // a test of a sink
)

// Technique is the ID of an entry of the taxonomy, such as "memfd_exec".
type Technique string

// Verdict is what the score, or a test's signature, amounts to.
type Verdict string

// The verdicts.
const (
	Test            Verdict = "test"             // looks like a sensor test
	BenignLikely    Verdict = "benign-likely"    // score below 30
	Suspicious      Verdict = "suspicious"       // 30 to 64
	MaliciousLikely Verdict = "malicious-likely" // 65 and above
)

// Confidence says how much of what the analysis needs was in the alert.
type Confidence string

// The levels of confidence.
const (
	LowConfidence    Confidence = "low"
	MediumConfidence Confidence = "medium"
	HighConfidence   Confidence = "high"
)

// Severity is how urgent a report is.
type Severity string

// The severities, in rising order.
const (
	Info     Severity = "info"
	Low      Severity = "low"
	Medium   Severity = "medium"
	High     Severity = "high"
	Critical Severity = "critical"
)

// Severities lists the severities in rising order.
func Severities() []Severity { return []Severity{Info, Low, Medium, High, Critical} }

// Rank orders severities: 0 for info up to 4 for critical, -1 for anything else.
func (s Severity) Rank() int {
	for i, v := range Severities() {
		if s == v {
			return i
		}
	}
	return -1
}

// Analysis names the versions that made the report.
type Analysis struct {
	Version   string `json:"version"`   // of filelessd
	Knowledge string `json:"knowledge"` // of its embedded data
}

// Group is the series of alike alerts that a report stands for.
type Group struct {
	Key        string
	Count      int
	Rules      []string
	FirstTime  time.Time
	LastTime   time.Time
	Hosts      []string
	Containers []string
}

// Attack is a technique of MITRE ATT&CK that the event supports.
type Attack struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Tactics []Tactic `json:"tactics"`
}

// Tactic is a tactic under its name in one version of ATT&CK: names and IDs changed between them.
type Tactic struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Factor is one line of the score's ledger.
type Factor struct {
	ID       string   `json:"id"`
	Weight   int      `json:"weight"` // points, negative if it lowers the score
	Reason   string   `json:"reason"`
	Evidence []string `json:"evidence"` // names that exist in the event
}

// Finding is a fact, with the fields that show it.
type Finding struct {
	ID        string   `json:"id"`
	Statement string   `json:"statement"`
	Evidence  []string `json:"evidence"` // names that exist in the event
}

// Explanation is one account of how the event may have come about.
type Explanation struct {
	ID        string   `json:"id"`
	Statement string   `json:"statement"`
	For       []string `json:"for"`
	Against   []string `json:"against"`
	SettledBy string   `json:"settled_by"`
}

// Unknown is something the alert does not say, with the way to learn it.
type Unknown struct {
	ID    string `json:"id"`
	Field string `json:"field"` // the Falco field that would tell; empty if none does
	Why   string `json:"why"`   // why it matters
	How   string `json:"how"`   // the Falco setting or the command that tells
}

// Action is something to do now.
type Action struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	Commands []string `json:"commands"`
	Needs    string   `json:"needs"`
	Risk     string   `json:"risk"`
	Changes  string   `json:"changes"`
	Undo     string   `json:"undo"`
	Why      string   `json:"why"`
	Results  []Result `json:"results"`
}

// Result is what a command of an action may show, and what that means.
type Result struct {
	If   string `json:"if"`
	Then string `json:"then"`
}

// Mitigation is something that makes a repetition less likely or less harmful.
type Mitigation struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Why         string `json:"why"`
	Effect      string `json:"effect"` // on this technique
	SideEffects string `json:"side_effects"`
	DryRun      string `json:"dry_run"`
	Rollback    string `json:"rollback"`
	Files       []File `json:"files"`
}

// File is a configuration file that a mitigation offers.
type File struct {
	Path      string `json:"path"`
	MediaType string `json:"media_type"`
	Content   string `json:"content"`
}

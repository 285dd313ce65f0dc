package render

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// What the two formats for other systems, OCSF and ECS, have in common. They are written with structs
// and encoding/json: each name is read and compared with a schema more often than it is written.

// machineJSON is v as one line of JSON without a newline, with what can not be seen as \u escapes.
// Bytes that are not UTF-8 become U+FFFD; exactBytes has them.
func machineJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return report.EscapeInvisible(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}

// valueOf is the first of the fields that e knows, empty if there is none.
func valueOf(e *event.Event, names ...string) string {
	if e == nil {
		return ""
	}
	value, _ := e.Field(names...)
	return value
}

// number is the value of a field that counts, nil if it is unknown or no number.
func number(e *event.Event, name string) *int64 {
	n, err := strconv.ParseInt(valueOf(e, name), 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

// boolean is the value of a field that is true or false, nil if it is unknown.
func boolean(e *event.Event, name string) *bool {
	value, err := strconv.ParseBool(valueOf(e, name))
	if err != nil {
		return nil
	}
	return &value
}

// containerID is empty on a host too, where Falco calls every container field "host".
func containerID(e *event.Event) string {
	if id := valueOf(e, "container.full_id", "container.id"); id != "host" {
		return id
	}
	return ""
}

// inContainer is the field of that name, empty on a host.
func inContainer(e *event.Event, name string) string {
	if containerID(e) == "" && valueOf(e, "container.id") == "host" {
		return ""
	}
	return valueOf(e, name)
}

// imageDigest is the digest of the container's image without its algorithm, which is always SHA-256;
// empty if it is unknown or does not look like one.
func imageDigest(e *event.Event) string {
	digest, ok := strings.CutPrefix(inContainer(e, "container.image.digest"), "sha256:")
	if !ok || len(digest) != 64 || strings.Trim(digest, "0123456789abcdef") != "" {
		return ""
	}
	return digest
}

// baseName is the last part of the path of an executable, which is the name of its file. A memory
// file is called by its whole name: what stands behind memfd: may hold slashes and is no path.
func baseName(path string) string {
	if strings.HasPrefix(path, "memfd:") || strings.HasPrefix(path, "/memfd:") {
		return path
	}
	if name := path[strings.LastIndexByte(path, '/')+1:]; name != "" {
		return name
	}
	return path
}

// happened is when the report's event happened; of a report without one, when it was written.
func happened(r *report.Report) time.Time {
	switch {
	case r.Event != nil && !r.Event.Time.IsZero():
		return r.Event.Time
	case r.Group != nil && !r.Group.LastTime.IsZero():
		return r.Group.LastTime
	default:
		return r.CreatedAt
	}
}

// subTechnique parts the ID and the name of a sub-technique of ATT&CK, such as "T1055.008" and
// "Process Injection: Ptrace System Calls".
func subTechnique(a report.Attack) (parent, parentName, sub, subName string) {
	parent, _, isSub := strings.Cut(a.ID, ".")
	if !isSub {
		return a.ID, a.Name, "", ""
	}
	parentName, subName, named := strings.Cut(a.Name, ": ")
	if !named {
		return parent, "", a.ID, a.Name
	}
	return parent, parentName, a.ID, subName
}

// exactBytes is base64 of the values that hold bytes which are not UTF-8, by their names.
func exactBytes(e *event.Event) map[string]string {
	if e == nil {
		return nil
	}
	var exact map[string]string
	for _, name := range e.InvalidUTF8() {
		value, ok := lookup(e, name)
		if name == "source" {
			value, ok = e.Source, true
		}
		if !ok {
			continue
		}
		if exact == nil {
			exact = map[string]string{}
		}
		exact[name] = base64.StdEncoding.EncodeToString([]byte(value))
	}
	return exact
}

// advice is what a reader is told to do, by the titles alone: first the actions, then the
// mitigations.
func advice(r *report.Report) []string {
	var titles []string
	for _, a := range r.Actions {
		titles = append(titles, a.Title)
	}
	for _, m := range r.Mitigations {
		titles = append(titles, m.Title)
	}
	return titles
}

// judgement is what both formats say of a report in a part of their own, since neither has a name
// for it.
type judgement struct {
	Kind          report.Kind        `json:"kind"`
	SchemaVersion string             `json:"schema_version"`
	Technique     report.Technique   `json:"technique,omitempty"`
	Also          []report.Technique `json:"also,omitempty"`
	Verdict       report.Verdict     `json:"verdict,omitempty"`
	Confidence    report.Confidence  `json:"confidence,omitempty"`
	Severity      report.Severity    `json:"severity,omitempty"`
	Score         *int               `json:"score,omitempty"` // nil where nothing was scored
	Factors       []report.Factor    `json:"factors,omitempty"`
	Unknown       []string           `json:"unknown_fields,omitempty"`
	About         []string           `json:"about,omitempty"`
	GroupKey      string             `json:"group_key,omitempty"`
	Knowledge     string             `json:"knowledge,omitempty"`
}

func judge(r *report.Report) judgement {
	j := judgement{
		Kind: r.Kind, SchemaVersion: r.SchemaVersion, Technique: r.Technique, Also: r.Also,
		Verdict: r.Verdict, Confidence: r.Confidence, Severity: r.Severity, Score: scored(r),
		Factors: r.Factors, About: r.About, Knowledge: r.Analysis.Knowledge,
	}
	for _, u := range r.Unknowns {
		if u.Field != "" {
			j.Unknown = append(j.Unknown, u.Field)
		}
	}
	if r.Group != nil {
		j.GroupKey = r.Group.Key
	}
	return j
}

// scored is the score, nil of a report that judges nothing.
func scored(r *report.Report) *int {
	if r.Verdict == "" {
		return nil
	}
	return &r.Score
}

package render

import (
	"strconv"
	"strings"
	"time"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// CEF writes r as one line of ArcSight's Common Event Format, version 0, without a newline.
//
// Signature ID is the technique, or the kind of a report that has none. Keys of the dictionary hold
// what they are meant for (d... is the process, s... its parent); what it has no key for is in custom
// strings, whose labels are the names of Falco's fields or of keys of the report's JSON form. Values
// are cut at the lengths of the dictionary.
func CEF(r *report.Report) []byte {
	signature := string(r.Technique)
	if signature == "" {
		signature = string(r.Kind)
	}
	name := r.Title
	if strings.TrimSpace(name) == "" {
		name = r.Kind.Words()
	}
	version := r.Analysis.Version
	if version == "" {
		version = "unknown"
	}
	var b strings.Builder
	b.WriteString("CEF:0|filelessd|filelessd")
	for _, part := range []string{version, signature, name, strconv.Itoa(cefSeverity(r.Severity))} {
		text, _ := shown(part, longestCEFName)
		b.WriteByte('|')
		b.WriteString(cefHeader.Replace(text))
	}
	b.WriteByte('|')
	l := cefLine{&b, false}
	l.ofReport(r)
	if r.Event != nil {
		l.ofEvent(r.Event)
	}
	l.text("msg", r.Summary) // last, since it is the longest
	return []byte(b.String())
}

// A backslash escapes in both parts; only the header is parted by pipes, only the extension has equals
// signs. Line ends do not come here: report.Visible has made them visible.
var (
	cefHeader = strings.NewReplacer(`\`, `\\`, `|`, `\|`)
	cefValue  = strings.NewReplacer(`\`, `\\`, `=`, `\=`)
)

// Lengths of the dictionary.
const (
	longestCEFName   = 512
	longestCEFText   = 1023
	longestCEFCustom = 4000
)

// cefSeverity is in the middle of the ranges that the format calls low, medium, high and very high.
func cefSeverity(s report.Severity) int {
	switch s {
	case report.Critical:
		return 10
	case report.High:
		return 8
	case report.Medium:
		return 5
	case report.Low:
		return 3
	case report.Info:
		return 1
	default:
		return 0
	}
}

// cefLine writes an extension.
type cefLine struct {
	*strings.Builder
	began bool
}

func (l *cefLine) add(key, value string, longest int) {
	text, _ := shown(value, longest)
	if text = strings.TrimSpace(text); text == "" {
		return
	}
	if l.began {
		l.WriteByte(' ')
	}
	l.began = true
	l.WriteString(key)
	l.WriteByte('=')
	l.WriteString(cefValue.Replace(text))
}

func (l *cefLine) text(key, value string) { l.add(key, value, longestCEFText) }

// custom writes one of the keys whose meaning is in a label.
func (l *cefLine) custom(key, label, value string) {
	if strings.TrimSpace(value) == "" {
		return
	}
	l.text(key+"Label", label)
	l.add(key, value, longestCEFCustom)
}

func (l *cefLine) time(key string, t time.Time) {
	if !t.IsZero() {
		l.text(key, strconv.FormatInt(t.UnixMilli(), 10))
	}
}

func (l *cefLine) ofReport(r *report.Report) {
	l.time("rt", r.CreatedAt)
	l.text("externalId", r.ID)
	l.text("cat", string(r.Kind))
	if g := r.Group; g != nil {
		l.text("cnt", strconv.Itoa(g.Count))
		l.time("start", g.FirstTime)
		l.time("end", g.LastTime)
	} else if r.Event != nil {
		l.time("start", r.Event.Time)
	}
	if r.Verdict != "" {
		l.custom("cs1", "verdict", string(r.Verdict))
		l.custom("cs2", "confidence", string(r.Confidence))
		l.custom("cn1", "score", strconv.Itoa(r.Score))
	}
	if len(r.Actions) > 0 {
		l.custom("flexString1", "action", r.Actions[0].Title)
	}
	var attack []string
	for _, a := range r.Attack {
		attack = append(attack, a.ID)
	}
	l.custom("flexString2", "attack", strings.Join(attack, ","))
}

func (l *cefLine) ofEvent(e *event.Event) {
	l.text("dvchost", e.Hostname)
	l.text("dhost", e.Hostname)
	l.text("duser", valueOf(e, "user.name"))
	l.text("duid", valueOf(e, "user.uid"))
	l.text("dproc", valueOf(e, "proc.name"))
	if pid := number(e, "proc.pid"); pid != nil {
		l.text("dpid", strconv.FormatInt(*pid, 10))
	}
	l.text("filePath", valueOf(e, "proc.exepath"))
	l.text("sproc", valueOf(e, "proc.pname", "proc.pexepath"))
	if pid := number(e, "proc.ppid"); pid != nil {
		l.text("spid", strconv.FormatInt(*pid, 10))
	}
	l.custom("cs3", "rule", e.Rule)
	l.custom("cs4", "proc.cmdline", valueOf(e, "proc.cmdline"))
	l.custom("cs5", "container.id", containerID(e))
	l.custom("cs6", "container.image.repository", inContainer(e, "container.image.repository"))
}

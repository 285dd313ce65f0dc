package when

import (
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// environment holds what the names of an expression stand for.
type environment struct {
	ID       string            `expr:"id"`
	Kind     string            `expr:"kind"`
	Rule     string            `expr:"rule"`
	Priority string            `expr:"priority"`
	Hostname string            `expr:"hostname"`
	Source   string            `expr:"source"`
	Tags     []string          `expr:"tags"`
	Fields   map[string]string `expr:"fields"`

	Technique  string `expr:"technique"`
	Verdict    string `expr:"verdict"`
	Confidence string `expr:"confidence"`
	Severity   int    `expr:"severity"` // its rank
	Score      int    `expr:"score"`

	// The ranks. They and Severity are plain ints because the library refuses to compare values of
	// a named integer type.
	Info     int `expr:"info"`
	Low      int `expr:"low"`
	Medium   int `expr:"medium"`
	High     int `expr:"high"`
	Critical int `expr:"critical"`
}

func newEnvironment() *environment {
	return &environment{
		Info: report.Info.Rank(), Low: report.Low.Rank(), Medium: report.Medium.Rank(),
		High: report.High.Rank(), Critical: report.Critical.Rank(),
	}
}

// Names returns the names that an expression can use, without those of the severities.
func Names() []string {
	return []string{
		"id", "kind", "rule", "priority", "hostname", "source", "tags", "fields",
		"technique", "verdict", "confidence", "severity", "score",
	}
}

// levels returns the names of the severities, in rising order.
func levels() []string {
	var names []string
	for _, s := range report.Severities() {
		names = append(names, string(s))
	}
	return names
}

// functions returns the names of the functions that an expression can call.
func functions() []string {
	return []string{"all", "any", "count", "int", "len", "lower", "none", "one", "trim", "upper"}
}

// values returns all values that a name can have beside the empty one, and nil if there is no such
// list.
func values(name string) []string {
	switch name {
	case "kind":
		return texts(report.KindAlert, report.KindUpdate, report.KindSummary, report.KindSuppression,
			report.KindLoss, report.KindQuiet, report.KindTest)
	case "verdict":
		return texts(report.Test, report.BenignLikely, report.Suspicious, report.MaliciousLikely)
	case "confidence":
		return texts(report.LowConfidence, report.MediumConfidence, report.HighConfidence)
	case "priority":
		var names []string
		for p := event.Emergency; p <= event.Debug; p++ {
			names = append(names, p.String())
		}
		return names
	default:
		return nil
	}
}

func texts[S ~string](values ...S) []string {
	var texts []string
	for _, v := range values {
		texts = append(texts, string(v))
	}
	return texts
}

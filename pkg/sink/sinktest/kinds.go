package sinktest

import (
	"time"

	"github.com/filelessd/filelessd/pkg/report"
)

// Kinds returns a report of each kind, new ones at each call.
func Kinds() []*report.Report {
	about := Ordinary()
	made := func(id string, kind report.Kind, severity report.Severity, title, summary string, of ...string) *report.Report {
		return &report.Report{
			ID: id + Loss().ID[len(id):], Kind: kind, SchemaVersion: report.SchemaVersion, CreatedAt: received(),
			Title: title, Summary: summary, Severity: severity, About: of, Analysis: about.Analysis,
		}
	}
	suppression := made("05", report.KindSuppression, report.Info, "12 reports were withheld from sink soc", "By one silence.", "silence 7")
	suppression.Group = &report.Group{Count: 12, FirstTime: received().Add(-time.Hour), LastTime: received()}
	return []*report.Report{
		about, Summary(), suppression, Loss(),
		made("06", report.KindUpdate, report.Medium, "the image is known", "It is the event-generator's.", about.ID),
		made("07", report.KindQuiet, report.High, "nothing from the source falco for 2 hours", "Before, it sent 40 an hour.", "source falco"),
		made("08", report.KindTest, report.Info, "a test of the sink soc", "Nothing happened.", "soc"),
	}
}

// Summary is the report of repeats of the attack that Ordinary tells of first.
func Summary() *report.Report {
	r := Ordinary()
	const key = "a41c6d0e7c1b44f09a6be1f0c2d97e35"
	r.ID = "04" + Loss().ID[2:]
	r.Kind, r.Title, r.About = report.KindSummary, "40 more alerts: "+r.Title, []string{key}
	r.Group = &report.Group{
		Key: key, Count: 40, Rules: []string{r.Event.Rule}, FirstTime: received().Add(-time.Minute), LastTime: received(),
		Hosts: []string{"node-1", "node-2", "node-3", "node-4", "node-5", "node-6", "node-7"},
	}
	return r
}

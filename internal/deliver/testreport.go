package deliver

import (
	"fmt"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
)

// TestReport is what `filelessd test-sink` sends: nothing in it came from an alert.
func TestReport(sink, host, version string, now time.Time) *report.Report {
	at := now.UTC().Round(0)
	return &report.Report{
		ID:   madeID(report.KindTest, sink, host, at.Format(time.RFC3339Nano)),
		Kind: report.KindTest, SchemaVersion: report.SchemaVersion, CreatedAt: at, Severity: report.Info,
		Title: "test of the sink " + sink,
		Summary: fmt.Sprintf("Somebody had filelessd on the host %s try the sink %s at %s UTC, by filelessd test-sink. "+
			"There was no alert, and there is nothing to do.", host, sink, at.Format(time.DateTime)),
		About: []string{sink}, Analysis: report.Analysis{Version: version},
	}
}

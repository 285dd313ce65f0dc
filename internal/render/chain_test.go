package render_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/render"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// section returns the rows of the table below a heading of a page in Markdown.
func section(t *testing.T, r *report.Report, heading string) []string {
	t.Helper()
	_, rest, ok := strings.Cut(string(render.Markdown(r)), "### "+heading+"\n\n")
	if !ok {
		return nil
	}
	body, _, _ := strings.Cut(rest, "\n\n")
	return strings.Split(body, "\n")[2:]
}

func alertWith(fields map[string]string) *report.Report {
	e := &event.Event{Rule: "r", Time: received}
	for name, value := range fields {
		e.SetField(name, value)
	}
	return &report.Report{Kind: report.KindAlert, Event: e}
}

func TestChain(t *testing.T) {
	for _, c := range []struct {
		name   string
		fields map[string]string
		want   []string
	}{
		{"nothing of a process", map[string]string{"container.id": "c61b4b13ae44"}, nil},
		{"on a host", map[string]string{"container.id": "host", "proc.name": "3", "proc.pname": "bash", "proc.ppid": "7"}, []string{
			"| older ancestors | not in the alert |",
			"| parent | `proc.pname` = `bash`, `proc.ppid` = `7` |",
			"| process | `proc.name` = `3` |",
		}},
		{"ancestors missing between", map[string]string{"proc.name": "3", "proc.aname[3]": "sshd"}, []string{
			"| older ancestors | not in the alert |",
			"| ancestor 3 | `proc.aname[3]` = `sshd` |",
			"| grandparent | not in the alert |",
			"| parent | not in the alert |",
			"| process | `proc.name` = `3` |",
		}},
		{"the process is not known", map[string]string{"proc.pname": "bash"}, []string{
			"| older ancestors | not in the alert |", "| parent | `proc.pname` = `bash` |", "| process | not in the alert |",
		}},
		{"the call failed", map[string]string{"proc.name": "sh", "evt.res": "ENOENT"}, []string{
			"| parent and older | not in the alert |", "| process that tried | `proc.name` = `sh` |",
		}},
		{"below a runtime", map[string]string{
			"container.id": "c61b4b13ae44", "proc.name": "3", "proc.pname": "sh", "proc.aname[2]": "containerd-shim", "proc.aname[3]": "systemd",
		}, []string{
			"| older ancestors | not in the alert | host, as it is above the runtime |",
			"| ancestor 3 | `proc.aname[3]` = `systemd` | host, as it is above the runtime |",
			"| grandparent | `proc.aname[2]` = `containerd-shim` | host, by the name of the runtime |",
			"| parent | `proc.pname` = `sh` | container, as it is below the runtime |",
			"| process | `proc.name` = `3` | container |",
		}},
		{"no runtime in sight", map[string]string{"container.id": "c61b4b13ae44", "proc.name": "3", "proc.pname": "java"}, []string{
			"| older ancestors | not in the alert | not known |",
			"| parent | `proc.pname` = `java` | not known |",
			"| process | `proc.name` = `3` | container |",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := alertWith(c.fields)
			if diff := cmp.Diff(c.want, section(t, r, "Process chain")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			checkDrawn(t, r, "chain", c.want)
		})
	}
}

// checkDrawn asserts that a drawing has a stop for each row.
func checkDrawn(t *testing.T, r *report.Report, id string, rows []string) {
	t.Helper()
	stops := 0
	for _, svg := range all(parseTree(t, render.HTML(r)), "svg") {
		if strings.HasPrefix(attribute(svg, "aria-labelledby"), id+"-") {
			stops = len(all(svg, "circle"))
		}
	}
	if stops != len(rows) {
		t.Errorf("%d stops are drawn of %d", stops, len(rows))
	}
}

func TestChainOfOthers(t *testing.T) {
	r := alertWith(map[string]string{"proc.name": "3"})
	r.Kind = report.KindSummary // of many alerts: one chain would be that of the first only
	if rows := section(t, r, "Process chain"); rows != nil {
		t.Errorf("a summary has %v", rows)
	}
}

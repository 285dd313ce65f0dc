package sink_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

func TestBriefOfAnAlert(t *testing.T) {
	r := sinktest.Ordinary()
	r.Event.SetField("proc.pname", "sh")
	r.Event.SetField("user.name", "root")
	b := sink.NewBrief(r)
	if want := "Suspicious: Program run from memory on node-1"; b.Headline != want {
		t.Errorf("headline %q, want %q", b.Headline, want)
	}
	var got []string
	for _, f := range b.Facts {
		got = append(got, f.Label+"|"+f.Field+"|"+f.Value)
	}
	want := []string{
		"Verdict||suspicious", "Score||55 of 100", "Confidence||medium", "Severity||high", "Host|hostname|node-1",
		"Container|container.id|none: on the host itself", "Command line|proc.cmdline|3 --quiet",
		"Program|proc.exepath|memfd:x", "Parent|proc.pname|sh", "User|user.name|root",
		"Rule|rule|" + r.Event.Rule, "Time|time|2026-03-01 11:59:59.123 UTC", "Technique||memfd_exec",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if b.Action != "Keep the program" || !slices.Equal(b.Commands, []string{"cp /proc/4711/exe /root/evidence"}) ||
		b.Unknown != 1 || !slices.Equal(b.Attack, []string{"T1620 Reflective Code Loading"}) || b.ID != r.ID {
		t.Errorf("%+v", b)
	}
}

func TestBriefInAContainer(t *testing.T) {
	r := sinktest.Ordinary()
	for name, value := range map[string]string{
		"container.id": "9f2d", "container.name": "web", "container.image.repository": "shop/web", "container.image.tag": "2",
		"k8s.ns.name": "shop", "k8s.pod.name": "web-0",
	} {
		r.Event.SetField(name, value)
	}
	text := fmt.Sprint(sink.NewBrief(r).Facts)
	for _, want := range []string{"{Container container.name web (9f2d)}", "{Image container.image.repository shop/web:2}", "{Pod k8s.pod.name shop/web-0}"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}

// TestBriefIsNeverEmpty: whatever a report lacks, its brief has a headline and facts with values.
func TestBriefIsNeverEmpty(t *testing.T) {
	for _, r := range append(sinktest.Kinds(), &report.Report{ID: "x"}) {
		b := sink.NewBrief(r)
		if strings.TrimSpace(b.Headline) == "" || len(b.Facts) == 0 || b.ID == "" {
			t.Errorf("%s: %+v", r.Kind, b)
		}
		for _, f := range b.Facts {
			if f.Label == "" || strings.TrimSpace(f.Value) == "" {
				t.Errorf("%s: %+v", r.Kind, f)
			}
		}
	}
}

func TestBriefOfASummaryCounts(t *testing.T) {
	for _, r := range sinktest.Kinds() {
		text := fmt.Sprint(sink.NewBrief(r).Facts)
		if r.Kind == report.KindSummary && (!strings.Contains(text, "{Alerts  40}") || !strings.Contains(text, "and 2 more}")) {
			t.Errorf("%s", text)
		}
	}
}

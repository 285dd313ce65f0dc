package render_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/analyze"
	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/internal/render"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

var received = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// analyst makes reports of alerts as the program does.
type analyst struct {
	set      *match.Set
	analyzer *analyze.Analyzer
}

func newAnalyst(t testing.TB) analyst {
	t.Helper()
	base, err := knowledge.Load()
	if err != nil {
		t.Fatal(err)
	}
	set, err := match.New(base, match.DefaultConfig(), func(rule string, err error) { t.Errorf("rule %s: %v", rule, err) })
	if err != nil {
		t.Fatal(err)
	}
	analyzer, err := analyze.New(base, match.DefaultConfig(), "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	return analyst{set, analyzer}
}

func (a analyst) report(t testing.TB, e event.Event) *report.Report {
	t.Helper()
	hits := a.set.Match(&e)
	if len(hits) == 0 {
		t.Fatal("the alert does not match")
	}
	r := a.analyzer.Report(&e, hits)
	r.Analysis.Knowledge = "0123456789ab" // so that new knowledge changes only what it is about
	return r
}

// recorded returns the alerts of the analysis's cases by their names.
func recorded(t testing.TB) map[string]event.Event {
	t.Helper()
	f, err := os.Open("../analyze/testdata/cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	events := map[string]event.Event{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c struct {
			ID    string
			Event json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		if e, err := event.Parse(c.Event, received); err == nil {
			events[c.ID] = e
		}
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
	return events
}

// full is a report with something in every section.
func full(t testing.TB) *report.Report {
	t.Helper()
	r := newAnalyst(t).report(t, recorded(t)["c02"])
	r.Also = []report.Technique{"fd_exec"}
	r.Explanations = []report.Explanation{
		{
			ID: "test", Statement: "a test of the sensor with Falco's event-generator",
			For: []string{"proc.cmdline", "the container has a name that Docker makes up"}, Against: []string{"parent and image are not known"},
			SettledBy: "the image of the container",
		},
		{ID: "imitation", Statement: "somebody who imitates the test to be ignored", SettledBy: "another image or parent"},
	}
	r.Actions = []report.Action{
		{
			ID: "decide", Title: "Decide between test and incident", Why: "the image settles it",
			Needs: "a user who may use Docker, on the host", Risk: "none", Changes: "nothing",
			Commands: []string{
				"docker inspect --format '{{.Config.Image}} {{.Path}} {{.Args}}' c61b4b13ae44",
				"docker logs --timestamps c61b4b13ae44 2>&1 |\n\tgrep -F FilelessExecutionViaMemfdCreate",
			},
			Results: []report.Result{
				{If: "the image is falcosecurity/event-generator and a log line names the action", Then: "a test: ask who ran it, and close"},
				{If: "any other image", Then: "an incident: go on with step 2"},
			},
		},
		{ID: "ask", Title: "Ask who ran the test"},
	}
	r.Mitigations = []report.Mitigation{{
		ID: "noexec", Title: "Refuse executable memory files", Why: "programs that need none lose nothing",
		Effect: "1 stops programs that do not ask for an executable memfd, 2 stops all", SideEffects: "container runtimes execute a memory file themselves",
		DryRun: "set it on one host for a day", Rollback: "sysctl vm.memfd_noexec=0",
		Files: []report.File{
			{Path: "/etc/sysctl.d/60-memfd.conf", MediaType: "text/plain", Content: "# Linux 6.3 or newer\nvm.memfd_noexec = 1\n"},
			{Path: "no-memfd.json", MediaType: "application/json", Content: "{\n\t\"names\": [\"memfd_create\"],\n\t\"action\": \"SCMP_ACT_ERRNO\"\n}\n"},
		},
	}, {
		ID: "no_effect", Title: "What does not help here", Effect: "none",
		Why: "noexec on /tmp does nothing, since a memory file is on no mounted file system.",
	}}
	return r
}

// others has a report of each kind but alert.
func others(t testing.TB) map[string]*report.Report {
	t.Helper()
	r := full(t)
	about := []string{r.ID}
	made := func(kind report.Kind, severity report.Severity, title, summary string) *report.Report {
		return &report.Report{
			ID: "2ea71c18131a7f0383294917672136b6d5beae857e6bacca02d99d83e5f7d371", Kind: kind,
			SchemaVersion: report.SchemaVersion, CreatedAt: received, Title: title, Summary: summary,
			Severity: severity, Analysis: r.Analysis,
		}
	}
	update := made(report.KindUpdate, report.Medium, "the image of the container is known", "The image is falcosecurity/event-generator.")
	update.About, update.Findings = about, []report.Finding{{ID: "image", Statement: "the image is the event-generator's", Evidence: []string{"container.image.repository"}}}

	summary := made(report.KindSummary, report.High, "3 alerts of one attack", "One container set off 3 alerts in 40 seconds.")
	summary.Event, summary.Technique, summary.About = r.Event, r.Technique, []string{"node-1/c61b4b13ae44"}
	summary.Group = &report.Group{
		Key: "node-1/c61b4b13ae44", Count: 3, Rules: []string{r.Event.Rule, "Execution from /dev/shm"},
		FirstTime: r.Event.Time, LastTime: r.Event.Time.Add(40 * time.Second),
		Hosts: []string{"node-1"}, Containers: []string{"c61b4b13ae44"},
	}

	suppression := made(report.KindSuppression, report.Info, "12 reports were withheld", `The silence "planned test" withheld 12 reports from the sink soc.`)
	suppression.About = []string{"soc"}
	loss := made(report.KindLoss, report.High, "3 reports were dropped before the sink soc had them", "The log reached its limit of 2 GiB while the sink soc took nothing.")
	loss.About = []string{"soc"}
	quiet := made(report.KindQuiet, report.High, "nothing from the source falco for 2 hours", "Before, it sent about 40 alerts an hour.")
	quiet.About = []string{"falco"}
	return map[string]*report.Report{
		"update": update, "summary": summary, "suppression": suppression, "loss": loss, "quiet": quiet,
		"test": made(report.KindTest, report.Info, "a test of the sink soc", "Nothing happened: somebody wants to see that reports arrive."),
	}
}

// corpus has an alert of each technique, context and amount of detail, by the names of their files.
func corpus(t testing.TB) map[string]event.Event {
	t.Helper()
	files, err := filepath.Glob("../cli/testdata/reports/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no corpus", err)
	}
	events := map[string]event.Event{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		e, err := event.Parse(data, received)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		events[strings.TrimSuffix(filepath.Base(file), ".json")] = e
	}
	return events
}

// TestGroupWithoutAKey: what was withheld from a sink is counted together, and is of no one group.
func TestGroupWithoutAKey(t *testing.T) {
	r := &report.Report{ID: "x", Kind: report.KindSuppression, Severity: report.Info, Title: "t", Summary: "s",
		About: []string{"rate_limit"}, CreatedAt: received, Group: &report.Group{Count: 12, FirstTime: received, LastTime: received}}
	for _, format := range []string{"text", "markdown", "html"} {
		out, err := render.Render(format, r)
		if err != nil || !bytes.Contains(out, []byte("12")) || bytes.Contains(out, []byte("Key")) {
			t.Errorf("%s: %v\n%.3000s", format, err, out)
		}
	}
}

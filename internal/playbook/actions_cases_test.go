package playbook_test

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
	"github.com/filelessd/filelessd/internal/playbook"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

var received = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// reporter analyses alerts as the program does, and returns nil for those that do not match.
func reporter(t testing.TB) func(alert []byte) *report.Report {
	t.Helper()
	base, err := knowledge.Load()
	if err != nil {
		t.Fatal(err)
	}
	set, err := match.New(base, match.DefaultConfig(), func(rule string, err error) { t.Errorf("rule %s: %v", rule, err) })
	if err != nil {
		t.Fatal(err)
	}
	a, err := analyze.New(base, match.DefaultConfig(), "test")
	if err != nil {
		t.Fatal(err)
	}
	return func(alert []byte) *report.Report {
		e, err := event.Parse(alert, received)
		if err != nil {
			return nil
		}
		hits := set.Match(&e)
		if len(hits) == 0 {
			return nil
		}
		return a.Report(&e, hits)
	}
}

// allReports are those of the cases and of the corpus, by name.
func allReports(t testing.TB) map[string]*report.Report {
	t.Helper()
	analysed, reports := reporter(t), map[string]*report.Report{}
	data, err := os.ReadFile("../analyze/testdata/cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c struct {
			ID    string
			Event json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		if r := analysed(c.Event); r != nil {
			reports[c.ID] = r
		}
	}
	files, err := filepath.Glob("../cli/testdata/reports/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	for _, f := range files {
		alert, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		r := analysed(alert)
		if r == nil {
			t.Fatalf("%s does not match", f)
		}
		reports[strings.TrimSuffix(filepath.Base(f), ".json")] = r
	}
	for name, r := range inventedReports(t, analysed) {
		reports[name] = r
	}
	return reports
}

// inventedReports are for what neither has: other runtimes, no place, no time, values that are in
// no strict form.
func inventedReports(t testing.TB, analysed func([]byte) *report.Report) map[string]*report.Report {
	t.Helper()
	const stock = "Fileless execution via memfd_create"
	all := map[string]*report.Report{}
	for name, c := range map[string]struct{ time, rule, fields string }{
		"podman":          {"2026-11-20T03:12:44.107365218Z", stock, `"container.id":"4be1c07a9d55","container.type":"podman","container.image.repository":"registry.example.com/shop/web","proc.exepath":"memfd:x","proc.pid":48213`},
		"containerd":      {"2026-11-20T03:12:44.107365218Z", stock, `"container.id":"4be1c07a9d55","container.type":"containerd","container.image.repository":"registry.example.com/shop/web","proc.exepath":"memfd:x"`},
		"cri-o":           {"2026-11-20T03:12:44.107365218Z", stock, `"container.id":"4be1c07a9d55","container.type":"cri-o","proc.exepath":"memfd:x","proc.pid":48213`},
		"no place":        {"2026-11-20T03:12:44.107365218Z", stock, `"proc.exepath":"memfd:x","proc.pid":48213`},
		"no time":         {"", stock, `"container.id":"4be1c07a9d55","container.type":"docker","proc.exepath":"memfd:x"`},
		"no strict forms": {"2026-11-20T03:12:44.107365218Z", stock, `"container.id":"$(id)","k8s.pod.name":"-x","k8s.ns.name":"a b","proc.exepath":"memfd:x","proc.pid":"-1"`},
		"victim on host":  {"2026-11-20T03:12:44.107365218Z", "x", `"container.id":"host","evt.type":"openat","evt.is_open_write":true,"fd.name":"/proc/812/mem","proc.pid":48213,"proc.exepath":"/usr/bin/python3.12"`},
		"victim inside":   {"2026-11-20T03:12:44.107365218Z", "x", `"container.id":"4be1c07a9d55","container.type":"docker","evt.type":"openat","evt.is_open_write":true,"fd.name":"/proc/812/mem","proc.pid":48213,"proc.exepath":"/usr/bin/python3.12"`},
		"test in pod":     {"2026-11-20T03:12:44.107365218Z", stock, `"container.id":"4be1c07a9d55","k8s.pod.name":"evgen-x","k8s.ns.name":"falco","proc.name":"3","proc.cmdline":"3 run helper.DoNothing","proc.exepath":"memfd:program"`},
		"privileged pod":  {"2026-11-20T03:12:44.107365218Z", stock, `"container.id":"4be1c07a9d55","container.privileged":true,"k8s.pod.name":"web-x","k8s.ns.name":"shop","proc.exepath":"memfd:x"`},
		"test on host":    {"2026-11-20T03:12:44.107365218Z", stock, `"container.id":"host","proc.name":"3","proc.cmdline":"3 run helper.DoNothing","proc.exepath":"memfd:program"`},
	} {
		alert := `{"rule":"` + c.rule + `","priority":"Critical","source":"syscall","output_fields":{` + c.fields + `}`
		if c.time != "" {
			alert += `,"time":"` + c.time + `"`
		}
		if all[name] = analysed([]byte(alert + `}`)); all[name] == nil {
			t.Fatalf("%s does not match: %s", name, alert)
		}
	}
	timeless := *all["no time"]
	timeless.CreatedAt = time.Time{}
	all["no time at all"] = &timeless
	return all
}

// advice is r with its actions.
func advice(r *report.Report) []report.Action { return playbook.Expand(r).Actions }

// blocks calls visit with each different block of the actions of reports.
func blocks(reports map[string]*report.Report, visit func(name, id, block string)) {
	seen := map[string]bool{}
	for name, r := range reports {
		for _, a := range advice(r) {
			for _, b := range a.Commands {
				if !seen[b] {
					seen[b] = true
					visit(name, a.ID, b)
				}
			}
		}
	}
}

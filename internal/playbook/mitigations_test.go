package playbook

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/analyze"
	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

var rewriteMitigations = flag.Bool("update-mitigations", false, "write the golden files of mitigations anew")

// analyst makes compact reports as the program does.
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
	analyzer, err := analyze.New(base, match.DefaultConfig(), "test")
	if err != nil {
		t.Fatal(err)
	}
	return analyst{set, analyzer}
}

// report returns nil for what is no alert, or matches nothing.
func (a analyst) report(line []byte) *report.Report {
	e, err := event.Parse(line, time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
	if err != nil {
		return nil
	}
	return a.reportOf(e)
}

func (a analyst) reportOf(e event.Event) *report.Report {
	hits := a.set.Match(&e)
	if len(hits) == 0 {
		return nil
	}
	return a.analyzer.Report(&e, hits)
}

// alertFiles are the known alerts by name: each technique in each context, and the cases.
func alertFiles(t testing.TB) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	names, err := filepath.Glob("../cli/testdata/reports/*.json")
	if err != nil || len(names) == 0 {
		t.Fatal("no alerts", err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(name), ".json")] = data
	}
	cases, err := os.ReadFile("../analyze/testdata/cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(cases))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c struct {
			ID    string
			Event json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		all[c.ID] = c.Event
	}
	const head = `{"rule":"Fileless execution via memfd_create","priority":"Critical","time":"2026-11-23T10:00:00Z","output_fields":`
	all["memfd_exec.unknown"] = []byte(head + `{"proc.cmdline":"3 -x"}}`)
	all["loader_dd.host"] = []byte(`{"rule":"own","priority":"Critical","time":"2026-11-23T10:00:00Z","output_fields":` +
		`{"container.id":"host","evt.type":"execve","proc.name":"dd","proc.exepath":"/usr/bin/dd","proc.cmdline":"dd of=/proc/self/mem bs=1 seek=4096"}}`)
	return all
}

func mitigationsOf(r *report.Report) []report.Mitigation { return mitigations(targetOf(r)) }

func TestMitigationsAreComplete(t *testing.T) {
	a := newAnalyst(t)
	seen := map[string]bool{}
	for name, line := range alertFiles(t) {
		r := a.report(line)
		if r == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			all := mitigationsOf(r)
			if diff := cmp.Diff(all, mitigationsOf(r)); diff != "" {
				t.Errorf("not the same twice:\n%s", diff)
			}
			size := 0
			ids := map[string]bool{}
			for _, m := range all {
				if ids[m.ID] {
					t.Errorf("%s twice", m.ID)
				}
				ids[m.ID], seen[m.ID] = true, true
				checkMitigation(t, m)
				for _, f := range m.Files {
					size += len(f.Content)
				}
			}
			if last := all[len(all)-1]; last.ID != "no_effect" {
				t.Errorf("the last is %s", last.ID)
			}
			if size > 14<<10 {
				t.Errorf("%d bytes of files", size)
			}
			if all := len(mustJSON(t, all)); all > 26<<10 {
				t.Errorf("%d bytes in all", all)
			}
		})
	}
	for _, id := range []string{
		"memfd_noexec", "ptrace_scope", "proc_mem", "dev_shm_noexec", "apparmor", "service_drop_in", "seccomp",
		"compose_service", "pod_security", "quarantine_pod", "quarantine_container", "docker_slice", "falco_fields",
		"falco_rule", "falco_exception", "audit_rules", "tetragon_policy", "sigma_rule",
	} {
		if !seen[id] {
			t.Errorf("no alert was offered %s", id)
		}
	}
}

func checkMitigation(t *testing.T, m report.Mitigation) {
	t.Helper()
	texts := map[string]string{"title": m.Title, "why": m.Why, "effect": m.Effect}
	if m.ID != "no_effect" {
		texts["side effects"], texts["dry run"], texts["rollback"] = m.SideEffects, m.DryRun, m.Rollback
		if len(m.Files) == 0 {
			t.Errorf("%s has no files", m.ID)
		}
	}
	for what, s := range texts {
		if s == "" || s != strings.TrimSpace(s) || strings.ContainsAny(s, "\n\t") || strings.Contains(s, "  ") {
			t.Errorf("%s: %s is %q", m.ID, what, s)
		}
	}
	for _, f := range m.Files {
		switch {
		case f.Path == "" || f.MediaType == "":
			t.Errorf("%s: file %q of type %q", m.ID, f.Path, f.MediaType)
		case !strings.HasSuffix(f.Content, "\n") || strings.HasSuffix(f.Content, "\n\n"):
			t.Errorf("%s: %s does not end with one newline", m.ID, f.Path)
		case report.Visible(strings.NewReplacer("\n", "", "\t", "").Replace(f.Content)) != strings.NewReplacer("\n", "", "\t", "").Replace(f.Content):
			t.Errorf("%s: %s holds what can not be seen", m.ID, f.Path)
		}
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestMitigationsFitTheContext: nothing is offered that the place of the event has no use for.
func TestMitigationsFitTheContext(t *testing.T) {
	a := newAnalyst(t)
	never := map[string][]string{
		".host":       {"compose_service", "docker_slice", "pod_security", "quarantine_pod", "quarantine_container", "seccomp"},
		".docker":     {"pod_security", "quarantine_pod", "service_drop_in"},
		".kubernetes": {"compose_service", "docker_slice", "service_drop_in", "quarantine_container"},
	}
	always := map[string][]string{
		".host":       {"falco_fields", "falco_rule"},
		".docker":     {"compose_service", "quarantine_container"},
		".kubernetes": {"pod_security", "quarantine_pod"},
	}
	for name, line := range alertFiles(t) {
		context := filepath.Ext(strings.TrimSuffix(name, ".sparse"))
		if strings.HasSuffix(name, ".docker.sparse") {
			continue // says that there is a container, not of which runtime: both are offered, marked
		}
		r := a.report(line)
		if r == nil || never[context] == nil {
			continue
		}
		var ids []string
		for _, m := range mitigationsOf(r) {
			ids = append(ids, m.ID)
			if context != ".kubernetes" && strings.Contains(m.Title, "Kubernetes") || context == ".kubernetes" && strings.Contains(m.Title, "Docker") {
				t.Errorf("%s: %s", name, m.Title)
			}
		}
		for _, id := range never[context] {
			if slices.Contains(ids, id) {
				t.Errorf("%s is offered %s", name, id)
			}
		}
		for _, id := range always[context] {
			if !slices.Contains(ids, id) {
				t.Errorf("%s is not offered %s", name, id)
			}
		}
	}
}

// goldenMitigations are situations that differ in what is offered.
var goldenMitigations = []string{
	"c01",                           // a test, parent and image agree
	"c02",                           // the same, both unknown
	"memfd_exec.host",               // a person's session on a host
	"memfd_exec.docker",             //
	"memfd_exec.kubernetes",         //
	"volatile_path_exec.docker",     //
	"process_injection.host.sparse", //
	"preload_from_fd.kubernetes",    //
	"interpreter_loader.host",       //
	"loader_dd.host",                // writes the memory of a process
	"deleted_exec.kubernetes",       //
	"memfd_exec.unknown",            // without container.id
}

func TestGoldenMitigations(t *testing.T) {
	a, alerts := newAnalyst(t), alertFiles(t)
	for _, name := range goldenMitigations {
		t.Run(name, func(t *testing.T) {
			r := a.report(alerts[name])
			if r == nil {
				t.Fatal("does not match")
			}
			var b strings.Builder
			for _, m := range mitigationsOf(r) {
				b.WriteString("# " + m.ID + ": " + m.Title + "\n\nwhy: " + m.Why + "\neffect: " + m.Effect + "\nside effects: " +
					m.SideEffects + "\ndry run: " + m.DryRun + "\nrollback: " + m.Rollback + "\n\n")
				for _, f := range m.Files {
					b.WriteString("---- " + f.Path + " (" + f.MediaType + ")\n" + f.Content + "----\n\n")
				}
			}
			path := filepath.Join("testdata", "mitigations", name+".txt")
			if *rewriteMitigations {
				if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("%s (-want +got), -update-mitigations rewrites it:\n%s", path, diff)
			}
		})
	}
}

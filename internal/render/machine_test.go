package render_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/render"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// machineReports are the golden reports, and one of each alert of the corpus.
func machineReports(t testing.TB) map[string]*report.Report {
	t.Helper()
	reports, a := goldenReports(t), newAnalyst(t)
	for name, e := range corpus(t) {
		reports[name] = a.report(t, e)
	}
	reports["everywhere"] = everywhere("x")
	reports["nothing known"] = &report.Report{ID: "x", Kind: report.KindAlert, Event: &event.Event{}}
	reports["no event"] = &report.Report{ID: "x", Kind: report.KindLoss}
	return reports
}

// machineDoc reads one line of JSON with exact numbers.
func machineDoc(t testing.TB, line []byte, err error) map[string]any {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	if bytes.ContainsRune(line, '\n') {
		t.Fatalf("more than one line: %s", line)
	}
	return v
}

// TestMachineGolden keeps documents in an indented form that can be read. Whether they are valid, other
// tests say of all reports; these here show what stands where.
func TestMachineGolden(t *testing.T) {
	reports := machineReports(t)
	for _, name := range []string{
		"c02", "full", "memfd_exec.kubernetes", "process_injection.docker", "deleted_exec.host.sparse",
		"summary", "update", "suppression", "loss", "quiet", "test",
	} {
		for _, format := range []string{"ocsf", "ecs"} {
			t.Run(name+"."+format, func(t *testing.T) {
				line, err := render.Render(format, reports[name])
				if err != nil {
					t.Fatal(err)
				}
				var b bytes.Buffer
				if err := json.Indent(&b, line, "", "  "); err != nil {
					t.Fatal(err)
				}
				b.WriteByte('\n')
				golden := filepath.Join("testdata", "golden", name+"."+format+".json")
				if *update {
					if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), b.String()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

// checkMachine asserts what holds for every document, whatever the alert says: valid by its schema,
// UTF-8, nothing in it that a reader would not see, and value still there, letter by letter.
func checkMachine(t *testing.T, ocsf ocsfSchema, ecs map[string]ecsField, r *report.Report, value string) {
	t.Helper()
	for _, format := range []string{"ocsf", "ecs"} {
		line, err := render.Render(format, r)
		doc := machineDoc(t, line, err)
		if !utf8.Valid(line) {
			t.Fatalf("%s: not UTF-8: %+.300q", format, line)
		}
		if !bytes.Equal(report.EscapeInvisible(line), line) {
			t.Fatalf("%s: what can not be seen stands in %+.300q", format, line)
		}
		var wrong []string
		var got any
		if format == "ocsf" {
			wrong = ocsf.check("", "detection_finding", doc)
			got = reach(doc, []string{"unmapped", "falco", "output"})
		} else {
			wrong = checkECS(ecs, doc)
			got = reach(doc, []string{"filelessd", "falco", "output"})
		}
		for _, w := range wrong {
			t.Errorf("%s of %+.80q: %.300s", format, value, w)
		}
		if want := strings.ToValidUTF8(value, "\ufffd"); utf8.ValidString(value) && got != want && (want != "" || got != nil) {
			t.Errorf("%s: the output is %+.300q, want %+.300q", format, got, want)
		}
	}
}

func TestMachineHostile(t *testing.T) {
	ocsf, ecs := readOCSFSchema(t), readECSSchema(t)
	analyst, alert := newAnalyst(t), recorded(t)["c12"]
	for name, value := range hostile(t) {
		t.Run(name, func(t *testing.T) {
			if value == "" {
				return
			}
			checkMachine(t, ocsf, ecs, everywhere(value), value)
			e := copyOf(alert)
			for _, place := range attackers {
				put(&e, place, value)
			}
			checkMachine(t, ocsf, ecs, analyst.report(t, e), value)
		})
	}
}

// TestMachineBytes: bytes that are not UTF-8 are not lost.
func TestMachineBytes(t *testing.T) {
	e := &event.Event{Rule: "r", Hostname: "h\xff"}
	e.SetField("proc.cmdline", "a\xfeb")
	r := &report.Report{ID: "x", Kind: report.KindAlert, Event: e, CreatedAt: received}
	line, err := render.ECS(r)
	for _, want := range []string{"h\xff", "a\xfeb"} {
		if !bytes.Contains(line, []byte(base64.StdEncoding.EncodeToString([]byte(want)))) || err != nil {
			t.Errorf("no %q in %s, %v", want, line, err)
		}
	}
	line, err = render.OCSF(r)
	for _, want := range []string{"h\xff", "a\xfeb"} {
		if !bytes.Contains(line, []byte(base64.StdEncoding.EncodeToString([]byte(want)))) || err != nil {
			t.Errorf("no %q in %s, %v", want, line, err)
		}
	}
}

// TestMachineTimes: no time of an alert, however wrong, costs the document.
func TestMachineTimes(t *testing.T) {
	for _, at := range []time.Time{{}, time.Unix(-1<<40, 0), time.Unix(1<<40, 0), time.Unix(1<<62, 0)} {
		r := everywhere("x")
		r.Event.Time, r.Group.LastTime = at, at
		for _, format := range []string{"ocsf", "ecs"} {
			line, err := render.Render(format, r)
			machineDoc(t, line, err)
		}
	}
}

func FuzzMachine(f *testing.F) {
	for _, value := range hostile(f) {
		f.Add(value, "1")
	}
	ocsf, ecs := readOCSFSchema(f), readECSSchema(f)
	f.Fuzz(func(t *testing.T, value, n string) {
		if value == "" {
			return
		}
		r := everywhere(value)
		for _, name := range []string{"proc.pid", "proc.ppid", "proc.tty", "container.privileged", "container.image.digest", "container.image.id"} {
			r.Event.SetField(name, n)
		}
		checkMachine(t, ocsf, ecs, r, value)
	})
}

func BenchmarkOCSF(b *testing.B) {
	r := newAnalyst(b).report(b, recorded(b)["c04"])
	for b.Loop() {
		if _, err := render.OCSF(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkECS(b *testing.B) {
	r := newAnalyst(b).report(b, recorded(b)["c04"])
	for b.Loop() {
		if _, err := render.ECS(r); err != nil {
			b.Fatal(err)
		}
	}
}

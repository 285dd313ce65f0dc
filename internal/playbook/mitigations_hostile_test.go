package playbook

import (
	"bytes"
	"encoding/json"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/filelessd/filelessd/pkg/event"
)

// TestHostileValuesStayOut puts what must not be copied into every field that the program or its
// caller chooses, and into those that only Falco and the runtime write: alone, behind and before what was
// there. A long run tries each value in each way; a short one takes them in turns.
func TestHostileValuesStayOut(t *testing.T) {
	a, alerts := newAnalyst(t), alertFiles(t)
	for _, hostile := range []string{
		"MARKER", "MARKER\n- rule: x", "MARKER: \"x\"", "$(MARKER)", "'MARKER", "MARKER, x]", "../MARKER/", "-MARKER", "\u202eMARKER", "%proc.MARKER",
	} {
		for name, line := range alerts {
			var alert map[string]any
			if strings.HasSuffix(name, ".sparse") || json.Unmarshal(line, &alert) != nil {
				continue
			}
			fields, _ := alert["output_fields"].(map[string]any)
			if a.report(line) == nil {
				continue
			}
			for field := range fields {
				old := fields[field]
				ways := []any{hostile, asText(old) + hostile, hostile + asText(old)}
				if !Soak {
					ways = ways[crc32.ChecksumIEEE([]byte(name+field+hostile))%3:][:1]
				}
				for _, value := range ways {
					fields[field] = value
					r := a.report(mustJSON(t, alert))
					if r == nil {
						continue
					}
					if said := mustJSON(t, mitigationsOf(r)); bytes.Contains(said, []byte("MARKER")) {
						t.Fatalf("%s: %s = %q is in what is offered", name, field, value)
					}
				}
				fields[field] = old
			}
			old := alert["rule"]
			alert["rule"] = hostile
			if r := a.report(mustJSON(t, alert)); r != nil && bytes.Contains(mustJSON(t, mitigationsOf(r)), []byte("MARKER")) {
				t.Fatalf("%s: the rule's name is in what is offered", name)
			}
			alert["rule"] = old
		}
	}
}

func asText(v any) string {
	s, _ := v.(string)
	return s
}

// TestExceptionIsNarrow: an exception names the test tool or a runtime, or there is none.
func TestExceptionIsNarrow(t *testing.T) {
	a := newAnalyst(t)
	for _, c := range []struct {
		name   string
		fields []string
		want   string // a line of the file; empty if none is offered
	}{
		{"test, image and parent known", []string{"proc.cmdline", "3 run helper.DoNothing", "proc.pname", "event-generator",
			"container.id", "c61b4b13ae44", "container.image.repository", "r.example/falcosecurity/event-generator"},
			`- ["r.example/falcosecurity/event-generator", "event-generator", "run helper.DoNothing"]`},
		{"test, image unknown", []string{"proc.cmdline", "3 run helper.DoNothing", "container.id", "c61b4b13ae44"},
			"# The image is a placeholder, the test tool's own: the alert does not say it."},
		{"test in another image", []string{"proc.cmdline", "3 run helper.DoNothing", "proc.pname", "event-generator",
			"container.id", "c61b4b13ae44", "container.image.repository", "shop/web"}, ""},
		{"test on a host", []string{"proc.cmdline", "3 run helper.DoNothing", "proc.pname", "event-generator",
			"container.id", "host", "proc.pexepath", "/opt/test/event-generator"},
			`- ["/opt/test/event-generator", "event-generator", "run helper.DoNothing"]`},
		{"test on a host, hostile path", []string{"proc.cmdline", "3 run helper.DoNothing", "proc.pname", "event-generator",
			"container.id", "host", "proc.pexepath", "/opt/a b\"/event-generator"}, ""},
		{"runtime", []string{"proc.exepath", "memfd:crun_cloned:/proc/self/exe", "proc.pname", "crun", "proc.cmdline", "6 init"},
			`- ["memfd:crun_cloned:/proc/self/exe", "crun", "init"]`},
		{"runtime with other arguments", []string{"proc.exepath", "memfd:crun_cloned:/proc/self/exe", "proc.pname", "crun", "proc.cmdline", "6 run x"}, ""},
		{"runtime's name, parent unknown", []string{"proc.exepath", "memfd:crun_cloned:/proc/self/exe"}, ""},
		{"attack", []string{"proc.pname", "nginx"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := event.Event{Rule: event.StockMemfdRule, Source: event.DefaultSource, Received: time.Now()}
			e.SetField("evt.type", "execve")
			for i := 0; i < len(c.fields); i += 2 {
				e.SetField(c.fields[i], c.fields[i+1])
			}
			r := a.reportOf(e)
			if r == nil {
				t.Fatal("does not match")
			}
			got := ""
			for _, m := range mitigationsOf(r) {
				if m.ID == "falco_exception" {
					got = m.Files[0].Content
				}
			}
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("offered %q, want %q (%s)", got, c.want, r.Verdict)
			}
		})
	}
}

func TestImageNames(t *testing.T) {
	for name, want := range map[string]bool{
		"nginx": true, "shop/web": true, "localhost:5000/shop/web": true, "registry.example.com/a/b-c_d.e": true,
		"a//b": false, "a/": false, "/a": false, "a:5000": false, "a:b/c": false, "A/b": false, "a..b/c": false,
		"a b": false, "": false, "a:/b": false, "a/b:5/c": false,
	} {
		if got := isImageName(name); got != want {
			t.Errorf("%q: %t", name, got)
		}
	}
}

func BenchmarkMitigations(b *testing.B) {
	a, alerts := newAnalyst(b), alertFiles(b)
	for _, name := range []string{"c02", "memfd_exec.host", "memfd_exec.kubernetes"} {
		b.Run(name, func(b *testing.B) {
			target := targetOf(a.report(alerts[name]))
			b.ReportAllocs()
			for b.Loop() {
				mitigations(target)
			}
		})
	}
}

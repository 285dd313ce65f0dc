package brief

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

func TestLogfmt(t *testing.T) {
	got := Logfmt(sinktest.Ordinary(), "", 8<<10)
	const want = `msg="Suspicious: Program run from memory on node-1" verdict="suspicious" score="55" confidence="medium" severity="high" ` +
		`host="node-1" container="none: on the host itself" cmdline="3 --quiet" program="memfd:x" rule="Fileless execution via memfd_create" ` +
		`time="2026-03-01 11:59:59.123 UTC" technique="memfd_exec" action="Keep the program" run="cp /proc/4711/exe /root/evidence" ` +
		`summary="A process replaced itself with a program that is in no file system." unknown="1 facts that the alert does not tell" ` +
		`attack="T1620 Reflective Code Loading" id="` // and the rest
	if !strings.HasPrefix(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := Logfmt(sinktest.Hostile(), "https://x/{id}", 4096); len(got) > 4096 || !strings.Contains(got, `note="`) || !strings.Contains(got, "https://x/") {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}

// pairs reads logfmt as its parsers do.
var pairs = regexp.MustCompile(`^([a-z_]+="(\\[\\"]|[^\\"])*"( |$))*$`)

func FuzzLogfmt(f *testing.F) {
	f.Add(`a" id="x`, "\\", 500)
	f.Add("\n\r\u2028", "\xff\x1b[2J", 90)
	f.Fuzz(func(t *testing.T, a, b string, limit int) {
		limit = max(400, min(limit, 1<<16))
		r := sinktest.Ordinary()
		r.Title, r.Event.Hostname = a, b
		r.Event.SetField("proc.cmdline", b+a)
		r.Actions[0].Commands = []string{a}
		line := Logfmt(r, "", limit)
		if len(line) > limit || !pairs.MatchString(line) || report.Visible(line) != line {
			t.Errorf("%d of %d: %q", len(line), limit, line)
		}
		for _, format := range []string{"json", "ecs", "cef", "text"} {
			data, err := Instead(format, r, "", 4*limit)
			if err != nil || len(data) > 4*limit || format == "json" && !json.Valid(data) {
				t.Errorf("%s, %d of %d: %q", format, len(data), 4*limit, data)
			}
		}
	})
}

// Where there is no room for the whole, what matters is there, and where the whole is.
func TestInstead(t *testing.T) {
	for _, r := range append(sinktest.Kinds(), sinktest.Hostile(), sinktest.Big()) {
		for _, format := range []string{"json", "markdown", "cef"} {
			data, err := Instead(format, r, "", 4<<10)
			if err != nil || len(data) > 4<<10 || !strings.Contains(string(data), r.ID) {
				t.Errorf("%s %s: %d bytes: %v", r.Kind, format, len(data), err)
			}
		}
	}
	data, _ := Instead("json", sinktest.Big(), "", 4<<10)
	var o map[string]any
	if err := json.Unmarshal(data, &o); err != nil || o["score"] != 55.0 || !strings.Contains(fmt.Sprint(o["fitted"]), "whole report: filelessd explain") {
		t.Errorf("%s", data)
	}
}

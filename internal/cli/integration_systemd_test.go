//go:build integration

package cli

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/filelessd/filelessd/internal/testprogram"
)

const unitFile = "../../examples/systemd/filelessd.service"

// worstExposure is the most that systemd-analyze security may find, of 10.
const worstExposure = 1.5

// TestIntegrationSystemdUnit has systemd read the unit. It only warns of what it does not know, with
// exit status 0, so it has to say nothing at all.
func TestIntegrationSystemdUnit(t *testing.T) {
	systemd := testprogram.Find(t, "systemd-analyze", "systemd")
	const installed = "/usr/bin/filelessd"
	unit := readUnit(t)
	if !strings.Contains(unit, "\nExecStart="+installed+" run -c /etc/filelessd/config.yaml\n") {
		t.Fatal("ExecStart is not what this test replaces")
	}
	// systemd wants a program there that it can execute.
	path := filepath.Join(t.TempDir(), "filelessd.service")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(unit, installed, os.Args[0])), 0o600); err != nil {
		t.Fatal(err)
	}
	socket, err := os.ReadFile(filepath.Join(filepath.Dir(unitFile), "filelessd.socket"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	if err := os.WriteFile(filepath.Join(dir, "filelessd.socket"), socket, 0o600); err != nil {
		t.Fatal(err)
	}
	read := func(shape string) {
		t.Helper()
		for _, file := range []string{path, filepath.Join(dir, "filelessd.socket")} {
			if stdout, stderr := outputOf(t, systemd, "verify", "--man=no", file); stdout+stderr != "" {
				t.Errorf("%s: systemd-analyze verify %s:\n%s%s", shape, file, stdout, stderr)
			}
		}
		stdout, _ := outputOf(t, systemd, "security", "--no-pager", "--offline=yes", path)
		_, rest, _ := strings.Cut(stdout, "Overall exposure level for filelessd.service: ")
		exposure, err := strconv.ParseFloat(strings.Fields(rest + " none")[0], 64)
		if err != nil {
			t.Fatalf("%s: no exposure level in:\n%s", shape, stdout)
		}
		t.Logf("%s: exposure %.1f of 10", shape, exposure)
		if exposure > worstExposure {
			t.Errorf("%s: exposure %.1f, want %.1f or less:\n%s", shape, exposure, worstExposure, stdout)
		}
	}
	read("plain user")

	// A drop-in is read where the unit is: appended, it has the same effect.
	dropIn, err := os.ReadFile(filepath.Join(filepath.Dir(unitFile), "filelessd.service.d/root.conf"))
	if err != nil {
		t.Fatal(err)
	}
	service, install, _ := strings.Cut(strings.ReplaceAll(unit, installed, os.Args[0]), "[Install]")
	whole := service + string(dropIn) + "[Install]" + install
	if err := os.WriteFile(path, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	read("root")
}

// TestIntegrationSystemdCalls runs the daemon, with every kind of source and a sink on disk, while
// strace does to its system calls what the unit's SystemCallFilter would do.
func TestIntegrationSystemdCalls(t *testing.T) {
	strace := testprogram.Find(t, "strace", "strace")
	systemd := testprogram.Find(t, "systemd-analyze", "systemd")
	unit := readUnit(t)
	allowed := allowedCalls(t, unit, callSets(t, systemd))
	if len(allowed) < 100 {
		t.Fatalf("the unit allows %q only", allowed)
	}
	refusal := "signal=SIGSYS" // what systemd does where nothing else is said
	for line := range strings.Lines(unit) {
		if errno, ok := strings.CutPrefix(strings.TrimSpace(line), "SystemCallErrorNumber="); ok {
			refusal = "error=" + errno
		}
	}

	receiver := newReceiver(t)
	dir := t.TempDir()
	events, trace := filepath.Join(dir, "events.json"), filepath.Join(dir, "trace")
	d := newDaemon(t, receiver.URL, "  falco: {type: falco_grpc, address: 'unix:///nonexistent/falco.sock'}\n"+
		"  file: {type: file, path: "+events+", from: beginning}")
	d.edit("\nsinks:", "\nsinks:\n  archive: {type: file, path: "+filepath.Join(dir, "reports.jsonl")+"}")
	unseen := slices.DeleteFunc(slices.Clone(allowed), func(call string) bool { return call == "?socket" })
	d.under = []string{
		strace, "-D", "-f", "--seccomp-bpf", "-qq", "-o", trace,
		"-e", "trace=!" + strings.Join(unseen, ","), "-e", "inject=!" + strings.Join(allowed, ",") + ":" + refusal,
	}
	lines, ids := alerts(t, 300)
	for i := range 2 { // the second start finds a log
		p := d.run()
		d.postAll(lines[i*150 : i*150+100])
		if err := os.WriteFile(events, slices.Concat(slices.Collect(each(lines[:i*150+150]))...), 0o600); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the reports", func() bool { n, _ := receiver.got(); return n == i*150+150 })
		waitFor(t, "the reports on disk", func() bool { return d.metric(`filelessd_sink_backlog{sink="archive"}`) == "0" })
		p.signal(syscall.SIGTERM)
		if p.code() != 0 {
			t.Errorf("ended with %s", p.cmd.ProcessState)
		}
		if says := p.complains(); strings.Contains(says, "not permitted") {
			t.Errorf("says\n%s", says)
		}
	}
	if missing := receiver.missing(ids); len(missing) != 0 {
		t.Errorf("%d reports are missing", len(missing))
	}
	checkFamilies(t, unit, trace)
}

// each yields lines with their ends.
func each(lines [][]byte) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for _, line := range lines {
			if !yield(append(line, '\n')) {
				return
			}
		}
	}
}

// checkFamilies: the daemon opens no socket that RestrictAddressFamilies forbids.
func checkFamilies(t *testing.T, unit, trace string) {
	t.Helper()
	_, rest, _ := strings.Cut(unit, "\nRestrictAddressFamilies=")
	line, _, _ := strings.Cut(rest, "\n")
	families := strings.Fields(line)
	data, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	sockets := 0
	for line := range strings.Lines(string(data)) {
		_, rest, ok := strings.Cut(line, "socket(")
		if !ok {
			continue
		}
		sockets++
		if family, _, _ := strings.Cut(rest, ","); !slices.Contains(families, family) {
			t.Errorf("a socket that the unit forbids: %s", line)
		}
	}
	if sockets == 0 {
		t.Error("strace saw no socket")
	}
}

func readUnit(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// callSets returns what is in each of systemd's sets of system calls, by name: calls and other sets.
func callSets(t *testing.T, systemd string) map[string][]string {
	t.Helper()
	out, _ := outputOf(t, systemd, "syscall-filter", "--no-pager")
	sets, name := map[string][]string{}, ""
	for line := range strings.Lines(out) {
		word := strings.TrimSpace(line)
		switch {
		case word == "" || strings.HasPrefix(word, "#"):
		case strings.HasPrefix(line, "@"):
			name = word
		default:
			sets[name] = append(sets[name], word)
		}
	}
	return sets
}

// allowedCalls returns the calls that the unit's SystemCallFilter lets through.
func allowedCalls(t *testing.T, unit string, sets map[string][]string) []string {
	t.Helper()
	var expand func(names []string) []string
	expand = func(names []string) (calls []string) {
		for _, name := range names {
			if !strings.HasPrefix(name, "@") {
				calls = append(calls, "?"+name) // strace: not every machine has each
				continue
			}
			if len(sets[name]) == 0 {
				t.Fatalf("systemd knows no set %s", name)
			}
			calls = append(calls, expand(sets[name])...)
		}
		return calls
	}
	allowed := map[string]bool{}
	for _, call := range expand([]string{"@default"}) { // is allowed whatever else is
		allowed[call] = true
	}
	for line := range strings.Lines(unit) {
		filter, ok := strings.CutPrefix(strings.TrimSpace(line), "SystemCallFilter=")
		if !ok {
			continue
		}
		filter, deny := strings.CutPrefix(filter, "~")
		for _, call := range expand(strings.Fields(filter)) {
			if deny {
				delete(allowed, call)
			} else {
				allowed[call] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(allowed))
}

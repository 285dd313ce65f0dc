package readers

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// root is where the program's module is.
const root = "../../.."

// offer is a file and the alerts whose reports offer it.
type offer struct {
	File
	alerts int
}

// offers asks the real program for the reports on all known alerts, and returns every file of theirs
// once, in a fixed order.
var offers = sync.OnceValues(func() ([]offer, error) {
	alerts, err := knownAlerts()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("go", "run", "./cmd/filelessd", "analyze", "-o", "json")
	cmd.Dir, cmd.Stdin = root, bytes.NewReader(alerts)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	// One case is malformed on purpose, for which the program ends with 3, and go run with 1.
	if err != nil && !strings.Contains(complaint.String(), "exit status 3") {
		return nil, errors.New(complaint.String())
	}
	found := map[File]int{}
	for line := range bytes.Lines(out) {
		var r struct {
			Mitigations []struct {
				ID    string
				Files []File
			}
		}
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, err
		}
		if len(r.Mitigations) == 0 {
			return nil, errors.New("a report without mitigations")
		}
		for _, m := range r.Mitigations {
			for _, f := range m.Files {
				found[f]++
			}
		}
	}
	var all []offer
	for f, n := range found {
		all = append(all, offer{f, n})
	}
	slices.SortFunc(all, func(a, b offer) int {
		return strings.Compare(a.Path+"\x00"+a.Content, b.Path+"\x00"+b.Content)
	})
	return all, nil
})

// knownAlerts are those of each technique in each context, and the cases of the analysis.
func knownAlerts() ([]byte, error) {
	var all bytes.Buffer
	names, err := filepath.Glob(root + "/internal/cli/testdata/reports/*.json")
	if err != nil || len(names) < 50 {
		return nil, errors.New("the alerts of each technique are missing")
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all.Write(append(bytes.TrimSpace(data), '\n'))
	}
	cases, err := os.ReadFile(root + "/internal/analyze/testdata/cases.jsonl")
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(cases))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c struct{ Event json.RawMessage }
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return nil, err
		}
		all.Write(append(c.Event, '\n'))
	}
	// Situations that none of the above is in: nothing known of the place; dd over a process's memory.
	all.WriteString(`{"rule":"Fileless execution via memfd_create","priority":"Critical","time":"2026-11-23T10:00:00Z",` +
		`"output_fields":{"proc.cmdline":"3 -x"}}` + "\n")
	all.WriteString(`{"rule":"own","priority":"Critical","time":"2026-11-23T10:00:00Z","output_fields":{"container.id":"host",` +
		`"evt.type":"execve","proc.name":"dd","proc.exepath":"/usr/bin/dd","proc.cmdline":"dd of=/proc/self/mem bs=1"}}` + "\n")
	return all.Bytes(), lines.Err()
}

func offeredFiles(t *testing.T) []File {
	t.Helper()
	all, err := offers()
	if err != nil {
		t.Fatal(err)
	}
	var files []File
	for _, o := range all {
		files = append(files, o.File)
	}
	return files
}

// checkTool skips a test for want of a tool, or fails it where all have to be there.
func checkTool(t *testing.T, err error) {
	t.Helper()
	var missing MissingTool
	if !errors.As(err, &missing) {
		return
	}
	if os.Getenv("FILELESSD_INTEGRATION") == "1" {
		t.Fatalf("FILELESSD_INTEGRATION=1 asks for it: %v", err)
	}
	t.Skip(err)
}

// TestOffers: every file of every report is accepted by what reads it.
func TestOffers(t *testing.T) {
	all, err := offers()
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]int{}
	for _, o := range all {
		name, reader, err := For(o.Path)
		if err != nil {
			t.Error(err)
			continue
		}
		read[name]++
		t.Run(name+" "+strings.ReplaceAll(o.Path, "/", "_"), func(t *testing.T) {
			if err := reader(t.Context(), o.File); err != nil {
				checkTool(t, err)
				t.Errorf("refused: %v\n%s", err, o.Content)
			}
		})
	}
	for _, name := range []string{
		"falco rules", "falco settings", "compose", "kubernetes", "tetragon", "sigma", "seccomp", "sysctl", "nft", "audit",
		"apparmor", "systemd", "shell", "fstab",
	} {
		if read[name] == 0 {
			t.Errorf("no report offers anything for %s", name)
		}
		t.Logf("%s: %d different files", name, read[name])
	}
	if err := AuditLoads(t.Context()); err != nil {
		t.Logf("audit rules were read, not loaded: %v", err)
	}
}

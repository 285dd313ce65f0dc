package playbook_test

import (
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/report"
)

var update = flag.Bool("update", false, "write the golden files")

// page is what a reader gets of the actions, without the care of a renderer.
func page(r *report.Report) string {
	var b strings.Builder
	b.WriteString(string(r.Verdict) + ", " + string(r.Technique) + "\n")
	for i, a := range advice(r) {
		b.WriteString("\n======== Step " + strconv.Itoa(i+1) + " (" + a.ID + "): " + a.Title + "\n")
		for _, part := range [...]struct{ name, text string }{
			{"Why", a.Why}, {"Needs", a.Needs}, {"Risk", a.Risk}, {"Changes", a.Changes}, {"Undo", a.Undo},
		} {
			b.WriteString(part.name + ": " + part.text + "\n")
		}
		for _, c := range a.Commands {
			b.WriteString("\n" + c + "\n")
		}
		for _, result := range a.Results {
			b.WriteString("\nIf   " + result.If + "\nthen " + result.Then + "\n")
		}
	}
	return b.String()
}

// TestActionsGolden keeps the actions of telling situations, to be read by eyes.
func TestActionsGolden(t *testing.T) {
	reports := allReports(t)
	for _, name := range []string{
		"c01", "c02", "c09", "c26",
		"memfd_exec.docker", "memfd_exec.host.sparse", "memfd_exec.kubernetes",
		"fd_exec.host", "preload_from_fd.docker.sparse", "process_injection.docker",
		"volatile_path_exec.kubernetes.sparse", "deleted_exec.host", "containerd", "victim on host",
	} {
		t.Run(name, func(t *testing.T) {
			got := page(reports[name])
			golden := filepath.Join("testdata", "actions", strings.ReplaceAll(name, " ", "_")+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

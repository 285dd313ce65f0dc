package convert

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const page = "../../examples/falcosidekick/README.md"

// The page has the table of the mapping as it is.
func TestTable(t *testing.T) {
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile(`(?s)(<!-- table: [^\n]*-->\n).*(<!-- end -->)`)
	text := string(data)
	got := block.ReplaceAllStringFunc(text, func(old string) string {
		parts := block.FindStringSubmatch(old)
		return parts[1] + Table() + parts[2]
	})
	if !strings.Contains(got, Table()) {
		t.Fatal("the page has no place for the table")
	}
	if *update {
		if err := os.WriteFile(page, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(text, got); diff != "" {
		t.Errorf("stale (-page +mapping): go test ./internal/convert -run Table -update\n%s", diff)
	}
}

// What the page shows is what the command says of what the page shows.
func TestPageIsTrue(t *testing.T) {
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```[a-z]*\n(.*?)```\n").FindAllStringSubmatch(string(data), -1)
	var input string
	for _, b := range blocks {
		if strings.HasPrefix(b[1], "customfields:\n") {
			input = b[1]
		}
	}
	r := mustConvert(t, Input{Name: "falcosidekick.yaml", Data: []byte(input)})
	for name, want := range map[string]string{"configuration": string(r.Config), "notes": notesText(r)} {
		found := false
		for _, b := range blocks {
			found = found || strings.HasPrefix(b[1], want)
		}
		if !found {
			t.Errorf("the page does not show the %s:\n%s", name, want)
		}
	}
}

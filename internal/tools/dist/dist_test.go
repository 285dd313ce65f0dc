package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func TestPackageVersion(t *testing.T) {
	commit := time.Date(2026, 11, 29, 14, 44, 55, 0, time.FixedZone("", 3600))
	for describe, want := range map[string]string{
		"v1.2.3":                        "1.2.3",
		"1.2.3":                         "1.2.3",
		"v1.2.3-dirty":                  "1.2.3+dirty",
		"v1.2.3-rc.1":                   "1.2.3~rc.1",
		"v1.2.3-rc.1-dirty":             "1.2.3~rc.1+dirty",
		"v1.2.3-4-g38f83a8":             "1.2.3+git20261129.134455.38f83a8",
		"v1.2.3-rc.1-4-g38f83a8":        "1.2.3~rc.1+git20261129.134455.38f83a8",
		"v1.2.3-4-g38f83a8-dirty":       "1.2.3+git20261129.134455.38f83a8.dirty",
		"38f83a8c0ffe":                  "0.0~git20261129.134455.38f83a8c0ffe",
		"38f83a8c0ffe-dirty":            "0.0~git20261129.134455.38f83a8c0ffe.dirty",
		"":                              "",
		"v1":                            "",
		"v1.2.3-rc-1":                   "",
		"v1.2.3 && touch x":             "",
		"release-of-today":              "",
		"v1.2.3\n":                      "",
		"v1.2.3-4-g38f83a8-dirty-again": "",
	} {
		got, err := packageVersion(describe, commit)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v; want %q", describe, got, err, want)
		}
	}
}

// TestSBOM holds the SBOM of this test's own binary against the published schema, and what it lists against
// what the go command says of it.
func TestSBOM(t *testing.T) {
	r := &release{version: "v1.2.3", pkg: "1.2.3", commit: "feedface", time: time.Unix(1764423840, 0).UTC()}
	first, second := filepath.Join(t.TempDir(), "a.json"), filepath.Join(t.TempDir(), "b.json")
	for _, name := range []string{first, second} {
		if err := r.writeSBOM(name, os.Args[0], "amd64"); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(second); err != nil || !bytes.Equal(text, again) {
		t.Error("the same binary has two SBOMs", err)
	}
	if err := schema(t).Validate(parse(t, text)); err != nil {
		t.Error(err)
	}
	if err := schema(t).Validate(parse(t, bytes.Replace(text, []byte(`"urn:uuid:`), []byte(`"urn:`), 1))); err == nil {
		t.Error("the schema takes a serial number that is none")
	}
	bom := new(cdx.BOM)
	if err := cdx.NewBOMDecoder(bytes.NewReader(text), cdx.BOMFileFormatJSON).Decode(bom); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "go", "version", "-m", os.Args[0]).Output()
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) == 4 && fields[0] == "dep" {
			want = append(want, "pkg:golang/"+fields[1]+"@"+strings.ReplaceAll(fields[2], "+", "%2B"))
		}
	}
	for _, c := range (*bom.Components)[1:] {
		got = append(got, c.PackageURL)
	}
	if !slices.Equal(got, want) || len(got) < 3 {
		t.Errorf("got %q, want %q", got, want)
	}
	if std := (*bom.Components)[0].PackageURL; !strings.HasPrefix(std, "pkg:golang/std@1.") {
		t.Errorf("the standard library is %s", std)
	}
}

func parse(t *testing.T, text []byte) any {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// schema is the schema that CycloneDX publishes, a copy of which comes with its library.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(strings.TrimSpace(string(out)), "schema")
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for name, id := range map[string]string{
		"bom-1.6.schema.json":   "http://cyclonedx.org/schema/bom-1.6.schema.json",
		"spdx.schema.json":      "http://cyclonedx.org/schema/spdx.schema.json",
		"jsf-0.82.schemax.json": "http://cyclonedx.org/schema/jsf-0.82.schema.json",
	} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(id, parse(t, text)); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestEmpty: dist removes what it made itself, and nothing else.
func TestEmpty(t *testing.T) {
	r := &release{out: filepath.Join(t.TempDir(), "dist")}
	if err := r.empty(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{sumsName, "filelessd_1.2.3-1_amd64.deb"} {
		if err := writePublic(filepath.Join(r.out, name), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.empty(); err != nil {
		t.Error(err)
	}
	if err := writePublic(filepath.Join(r.out, "thesis.tex"), nil); err != nil {
		t.Fatal(err)
	}
	if err := r.empty(); err == nil {
		t.Error("emptied a directory with somebody's thesis")
	}
	if entries, err := os.ReadDir(r.out); err != nil || len(entries) != 1 {
		t.Errorf("%v is left (%v)", entries, err)
	}
}

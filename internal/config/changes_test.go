package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNeedsRestart(t *testing.T) {
	before := mustParse(t, "sources:\n  hook: {type: falco_http, token: a}\n  gone: {type: file, path: /x}\nsinks:\n  s: {type: webhook, url: http://x}\n", nil)
	after := mustParse(t, "# moved\ndrain_timeout: 3s\nstore: {retention: 1h}\nhttp: {reload: true}\nmatch: {lab: [x]}\nsources:\n  hook: {type: falco_http, token: b}\n  new: {type: file, path: /x}\nsinks:\n  s: {type: webhook, url: http://y}\n", nil)
	if diff := cmp.Diff([]string{"http", "store", "sources.gone", "sources.hook", "sources.new"}, before.NeedsRestart(after)); diff != "" {
		t.Error(diff)
	}
	if got := before.NeedsRestart(before); got != nil {
		t.Error(got)
	}
}

// TestFiles: what a configuration is made of is its own file, those that it takes values from, and those
// that its sinks read; a sink is another one when what such a file holds is.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	token, ca, file := filepath.Join(dir, "token"), filepath.Join(dir, "ca.pem"), filepath.Join(dir, "config.yaml")
	text := "sources:\n  hook: {type: falco_http, token: 'a$$${file:" + token + "}'}\nsinks:\n  s: {type: webhook, url: http://x, tls: {ca_file: " + ca + "}}\n"
	for name, text := range map[string]string{token: "t", ca: "one", file: text} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	load := func() *Config {
		c, err := Load(file, testEnv(nil))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	before := load()
	if diff := cmp.Diff([]string{ca, file, token}, before.Files()); diff != "" {
		t.Error(diff)
	}
	if before.File() != file || before.Hash() != hashOf([]byte(text)) || len(before.Hash()) != 16 {
		t.Error(before.File(), before.Hash())
	}
	if !before.Sinks["s"].SameDestination(load().Sinks["s"]) {
		t.Error("a sink that nothing changed of is another one")
	}
	if err := os.WriteFile(ca, []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	if before.Sinks["s"].SameDestination(load().Sinks["s"]) {
		t.Error("a sink whose certificates changed is the same")
	}
}

func TestFilesIn(t *testing.T) {
	got := filesIn("$${file:/no} ${file:/a}${NAME}x${file:/b c}$")
	if diff := cmp.Diff([]string{"/a", "/b c"}, got); diff != "" {
		t.Error(diff)
	}
}

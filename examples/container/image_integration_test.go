//go:build integration

// Package container tries the image and the compose example on a Docker daemon. The images that no registry can
// be asked for here have stand-ins, made of the Go and the Debian packages of this machine; the Dockerfiles and
// compose files are those that users take.
package container

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// hardened are the flags that README.md runs the image with; a test holds the two together.
var hardened = []string{
	"--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--memory", "256m", "--pids-limit", "200",
}

// mostBytes is what the image may weigh.
const mostBytes = 45 << 20

// waitFor asks until yes, for up to two minutes.
func waitFor(t *testing.T, what string, yes func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(2 * time.Minute); ; {
		select {
		case <-tick.C:
			if yes() {
				return
			}
		case <-end:
			t.Fatalf("%s did not come in two minutes", what)
		}
	}
}

// writeFile writes what a container reads, whoever it runs as.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	return writeIn(t, t.TempDir(), name, text)
}

func writeIn(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestIntegrationImage(t *testing.T) {
	d := newDocker(t)
	d.build(dockerfile, image, "--build-arg", "VERSION=v0.0.0-test", "--build-arg", "COMMIT=0123456789ab")

	var all []struct {
		Size   int
		Config struct {
			User, StopSignal string
			Labels           map[string]string
			Healthcheck      struct{ Test []string }
			Volumes          map[string]any
		}
	}
	if err := json.Unmarshal([]byte(d.run("image", "inspect", image)), &all); err != nil {
		t.Fatal(err)
	}
	c := all[0].Config
	t.Logf("%d bytes", all[0].Size)
	if all[0].Size > mostBytes {
		t.Errorf("%d bytes", all[0].Size)
	}
	if c.User != "65532:65532" || c.StopSignal != "SIGTERM" || !slices.Equal(c.Healthcheck.Test, []string{"CMD", "/usr/bin/filelessd", "status"}) {
		t.Errorf("%+v", c)
	}
	if c.Volumes["/var/lib/filelessd"] == nil || c.Labels["org.opencontainers.image.version"] != "v0.0.0-test" || c.Labels["org.opencontainers.image.revision"] != "0123456789ab" {
		t.Errorf("%+v", c)
	}
	if says := d.run("run", "--rm", image, "version"); !strings.Contains(says, "v0.0.0-test") || !strings.Contains(says, "0123456789ab") {
		t.Errorf("version says %s", says)
	}
	d.checkFiles(map[string]string{
		"etc/ssl/certs/ca-certificates.crt": "0:0 -rw-r--r--",
		"usr/bin/filelessd":                 "0:0 -rwxr-xr-x",
		"var/lib/":                          "0:0 drwxr-xr-x",
		"var/lib/filelessd/":                "65532:65532 drwx------",
		"tmp/":                              "0:0 dtrwxrwxrwx",
	})
}

// checkFiles compares what is in the image, without what Docker puts into each container and the directories
// on the way.
func (d *docker) checkFiles(want map[string]string) {
	d.t.Helper()
	id := d.run("create", image)
	defer d.run("rm", "--volumes", id)
	out, err := d.command("export", id).Output()
	if err != nil {
		d.t.Fatal(err)
	}
	dockers := []string{".dockerenv", "dev/", "proc/", "sys/", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf"}
	for r := tar.NewReader(bytes.NewReader(out)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			d.t.Fatal(err)
		}
		got := fmt.Sprintf("%d:%d %s", h.Uid, h.Gid, h.FileInfo().Mode())
		switch wanted, known := want[h.Name]; {
		case known:
			if got != wanted {
				d.t.Errorf("%s is %s, want %s", h.Name, got, wanted)
			}
			delete(want, h.Name)
		case slices.ContainsFunc(dockers, func(p string) bool { return strings.HasPrefix(h.Name, p) }):
		case h.Typeflag != tar.TypeDir || h.Uid != 0:
			d.t.Errorf("%s (%s) is in the image", h.Name, got)
		}
	}
	if len(want) != 0 {
		d.t.Errorf("not in the image: %v", want)
	}
}

// TestIntegrationContainer runs the image as README.md does with falco_http: it takes an alert, becomes
// healthy, delivers, and ends in order when it is stopped.
func TestIntegrationContainer(t *testing.T) {
	d := newDocker(t)
	d.build(dockerfile, image, "--build-arg", "VERSION=v0.0.0-test", "--build-arg", "COMMIT=0123456789ab")
	config := writeFile(t, "config.yaml", "sources:\n  hook: {type: falco_http, listen: 0.0.0.0:2801, token: '${file:/run/secrets/falco-token}'}\n"+
		"sinks:\n  console: {type: stdout, format: json}\n")
	token := writeFile(t, "token", "t0ken\n")
	volume := d.run("volume", "create")
	d.cleanup("volume", "rm", volume)
	args := append(slices.Clone(hardened), "--stop-timeout", "30", "--health-interval", "1s", "--publish", "127.0.0.1::2801",
		"--volume", config+":/etc/filelessd/config.yaml:ro", "--volume", token+":/run/secrets/falco-token:ro",
		"--volume", volume+":/var/lib/filelessd", image)
	id := d.start(args...)
	waitFor(t, "health", func() bool { return d.run("inspect", "--format", "{{.State.Health.Status}}", id) == "healthy" })

	alerts, err := os.ReadFile(filepath.Join(top, "examples/alerts/stable-rules.file-output.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + d.run("port", id, "2801")
	post := func(token string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, bytes.NewReader(alerts))
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("falco", token)
		r.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if code := post("another"); code != http.StatusUnauthorized {
		t.Errorf("with another token: %d", code)
	}
	if code := post("t0ken"); code != http.StatusOK {
		t.Fatalf("posted: %d", code)
	}
	waitFor(t, "a report", func() bool { return strings.Contains(d.run("logs", id), `"kind":"alert"`) })

	d.run("stop", id)
	if code := d.run("inspect", "--format", "{{.State.ExitCode}} {{.State.OOMKilled}}", id); code != "0 false" {
		t.Errorf("stopped with %s", code)
	}
	// The volume has the log: a new container goes on with it, and knows the alerts.
	again := d.run(append([]string{"run", "--rm", "--volume", volume + ":/var/lib/filelessd"}, image, "store", "check")...)
	if !strings.Contains(again, "all is whole") {
		t.Errorf("store check says %s", again)
	}
}

// TestIntegrationRootSocket: Falco's gRPC socket is root's with mode 0755. Uid 0 without a single capability
// connects; the image's own user does not, and says why.
func TestIntegrationRootSocket(t *testing.T) {
	d := newDocker(t)
	d.build(dockerfile, image, "--build-arg", "VERSION=v0.0.0-test", "--build-arg", "COMMIT=0123456789ab")
	run := d.run("volume", "create", "--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=uid=0,gid=0,mode=0755")
	d.cleanup("volume", "rm", run)
	asRoot := append(slices.Clone(hardened), "--user", "0:0")
	d.start(append(asRoot, "--volume", run+":/run/falco", image, "simulate", "--socket", "/run/falco/falco.sock")...)

	// Without a configuration filelessd asks the socket that is there, so that there has to be one. Of root
	// without capabilities, the data has to be root's too.
	config := writeFile(t, "config.yaml", "sources: {falco: {type: falco_grpc, address: 'unix:///run/falco/falco.sock'}}\nsinks: {console: {type: stdout, format: json}}\n")
	with := []string{"--volume", run + ":/run/falco:ro", "--volume", config + ":/etc/filelessd/config.yaml:ro"}
	root := d.start(slices.Concat(asRoot, with, []string{"--volume", t.TempDir() + ":/var/lib/filelessd", image})...)
	waitFor(t, "a report", func() bool { return strings.Contains(d.run("logs", root), `"kind":"alert"`) })

	other := d.start(slices.Concat(hardened, with, []string{image})...)
	waitFor(t, "the refusal", func() bool {
		says, _ := d.try("exec", other, "/usr/bin/filelessd", "status")
		return strings.Contains(says, "permission denied")
	})
}

// TestIntegrationREADME: what the page runs is what these tests run.
func TestIntegrationREADME(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(strings.ReplaceAll(string(page), "\\\n", " ")), " ")
	if flags := strings.Join(hardened, " "); strings.Count(text, flags) != 2 {
		t.Errorf("README.md runs the image with others than %s", flags)
	}
}

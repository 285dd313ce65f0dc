//go:build integration

package container

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/testprogram"
)

const (
	top        = "../.." // of the repository
	dockerfile = "examples/container/Dockerfile"
	golang     = "golang:1.26-bookworm"
	image      = "ghcr.io/filelessd/filelessd:devel"
	// proxy is where the stand-in for golang has the modules; the real one fetches them from where it is told.
	proxy = "/modules"
)

// docker is Docker's client, with a daemon that answers.
type docker struct {
	t       *testing.T
	program string
}

// newDocker finds Docker. Without a daemon the test is skipped, or fails where it was to show something.
func newDocker(t *testing.T) *docker {
	t.Helper()
	d := &docker{t, testprogram.Find(t, "docker", "docker.io")}
	if out, err := d.try("version"); err != nil {
		const text = "no Docker daemon answers (.ci/with-docker starts one, as root on a machine that allows it): %v\n%s"
		if os.Getenv("FILELESSD_INTEGRATION") == "1" {
			t.Fatalf("FILELESSD_INTEGRATION=1, but "+text, err, out)
		}
		t.Skipf(text, err, out)
	}
	return d
}

func (d *docker) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(d.t.Context(), d.program, args...)
	cmd.Dir = top
	return cmd
}

// try runs docker and returns all that it wrote.
func (d *docker) try(args ...string) (string, error) {
	out, err := d.command(args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// run runs docker, which must succeed, and returns its standard output.
func (d *docker) run(args ...string) string {
	d.t.Helper()
	cmd := d.command(args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		d.t.Fatalf("docker %s: %v\n%s%s", strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return strings.TrimSpace(stdout.String())
}

// cleanup has docker do something at the end of the test, whatever came of it.
func (d *docker) cleanup(args ...string) {
	d.t.Cleanup(func() {
		cmd := exec.CommandContext(context.Background(), d.program, args...)
		if out, err := cmd.CombinedOutput(); err != nil {
			d.t.Logf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	})
}

// start runs a container in the background until the test ends.
func (d *docker) start(args ...string) (id string) {
	d.t.Helper()
	id = d.run(append([]string{"run", "--detach"}, args...)...)
	d.cleanup("rm", "--force", "--volumes", id)
	d.t.Cleanup(func() {
		if d.t.Failed() {
			cmd := exec.CommandContext(context.Background(), d.program, "logs", "--tail", "30", id)
			out, _ := cmd.CombinedOutput()
			d.t.Logf("%s\n%s", strings.Join(args, " "), out)
		}
	})
	return id
}

// build builds an image of the repository, offline.
func (d *docker) build(file, tag string, args ...string) {
	d.t.Helper()
	d.golang()
	began := time.Now()
	all := append([]string{"build", "--quiet", "--network", "none", "--file", file, "--tag", tag}, args...)
	for _, arg := range d.buildArgs() {
		all = append(all, "--build-arg", arg)
	}
	d.run(append(all, ".")...)
	d.t.Logf("built %s in %.0f s", tag, time.Since(began).Seconds())
}

// buildArgs point go at the modules of the stand-in for golang.
func (d *docker) buildArgs() []string {
	return []string{"GOPROXY=file://" + proxy, "GOSUMDB=off", "GOFLAGS=-modcacherw"}
}

// golang makes, where no registry can be asked, what the images are built from: this machine's Go and its
// modules, with a shell. A real one that is there is left alone.
func (d *docker) golang() {
	d.t.Helper()
	const label = "filelessd.stand-in"
	key := d.key()
	if have, err := d.try("image", "inspect", "--format", `{{index .Config.Labels "`+label+`"}}`, golang); err == nil && (have == "" || have == key) {
		return
	}
	busybox := testprogram.Find(d.t, "busybox", "busybox-static")
	goroot, modules := d.goEnv("GOROOT"), d.goEnv("GOMODCACHE")
	d.goRun("mod", "download")
	d.importTar(golang, func(w *tar.Writer) error {
		return errors.Join(
			addFile(w, busybox, "bin/busybox"),
			addLinks(w, "sh", "mkdir", "chmod", "cat"),
			addFile(w, "/etc/ssl/certs/ca-certificates.crt", "etc/ssl/certs/ca-certificates.crt"),
			addDir(w, "tmp/", 0o1777),
			addTree(w, filepath.Join(goroot, "bin"), "usr/local/go/bin"),
			addTree(w, filepath.Join(goroot, "lib"), "usr/local/go/lib"),
			addTree(w, filepath.Join(goroot, "pkg"), "usr/local/go/pkg"),
			addTree(w, filepath.Join(goroot, "src"), "usr/local/go/src"),
			addFile(w, filepath.Join(goroot, "go.env"), "usr/local/go/go.env"),
			addFile(w, filepath.Join(goroot, "VERSION"), "usr/local/go/VERSION"),
			d.addModules(w, filepath.Join(modules, "cache", "download")),
		)
	}, "ENV PATH=/usr/local/go/bin:/bin", "ENV GOPATH=/go", "ENV GOTOOLCHAIN=local", "LABEL "+label+"="+key)
}

// key changes with what the stand-in for golang is made of.
func (d *docker) key() string {
	sums, err := os.ReadFile(filepath.Join(top, "go.sum"))
	if err != nil {
		d.t.Fatal(err)
	}
	sum := sha256.Sum256(append(sums, runtime.Version()...))
	return hex.EncodeToString(sum[:8])
}

func (d *docker) goEnv(name string) string { return strings.TrimSpace(d.goRun("env", name)) }

func (d *docker) goRun(args ...string) string {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), "go", args...)
	cmd.Dir = top
	out, err := cmd.Output()
	if err != nil {
		d.t.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// addModules adds the modules that go.mod names, in the form of a proxy: of others only what go has to know
// of them.
func (d *docker) addModules(w *tar.Writer, cache string) error {
	var errs []error
	modules := json.NewDecoder(strings.NewReader(d.goRun("mod", "download", "-json")))
	for {
		var m struct{ Zip string }
		if err := modules.Decode(&m); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		name, err := filepath.Rel(cache, m.Zip)
		errs = append(errs, err, addFile(w, m.Zip, filepath.Join(proxy, name)))
	}
	return errors.Join(append(errs, filepath.WalkDir(cache, func(path string, entry fs.DirEntry, err error) error {
		if suffix := filepath.Ext(path); err != nil || entry.IsDir() || suffix != ".mod" && suffix != ".info" {
			return err
		}
		name, err := filepath.Rel(cache, path)
		return errors.Join(err, addFile(w, path, filepath.Join(proxy, name)))
	}))...)
}

// importTar makes an image of a tar archive.
func (d *docker) importTar(tag string, write func(*tar.Writer) error, changes ...string) {
	d.t.Helper()
	args := []string{"import"}
	for _, c := range changes {
		args = append(args, "--change", c)
	}
	cmd := d.command(append(args, "-", tag)...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	w := tar.NewWriter(stdin)
	err = errors.Join(write(w), w.Close(), stdin.Close())
	if err := errors.Join(err, cmd.Wait()); err != nil {
		d.t.Fatalf("docker import %s: %v\n%s", tag, err, out.String())
	}
}

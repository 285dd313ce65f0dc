//go:build integration

package container

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/internal/testprogram"
)

const (
	examples   = "../compose"
	viewerFile = "examples/compose/viewer/Dockerfile"
	viewer     = "ghcr.io/filelessd/filelessd-viewer:devel"
)

// compose runs docker-compose on a project of its own.
type compose struct {
	*docker
	program, project, dir string
	files                 []string // and profiles, as arguments; empty for what users get
	viewer, alertmanager  string   // host:port
	temp                  string   // for files that are needed until the end
	standIns              []string // images that go with the project
}

// newCompose makes all images that the example needs, in a copy of the example if there is a reason to write
// into it.
func newCompose(t *testing.T, dir string) *compose {
	t.Helper()
	c := &compose{docker: newDocker(t), program: testprogram.Find(t, "docker-compose", "docker-compose"), dir: dir}
	c.temp = t.TempDir()
	c.project = "filelessd-" + strings.ToLower(strings.TrimPrefix(t.Name(), "TestIntegration"))
	c.viewer, c.alertmanager = freeAddress(t), freeAddress(t)
	c.buildAll()
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := c.compose(context.Background(), "logs", "--tail", "30")
			t.Log(out)
		}
		if out, err := c.compose(context.Background(), "down", "--volumes"); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		for _, tag := range c.standIns {
			if out, err := exec.CommandContext(context.Background(), c.docker.program, "image", "rm", tag).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		}
	})
	return c
}

// buildAll builds the two images of the repository and a stand-in for Alertmanager's.
func (c *compose) buildAll() {
	c.t.Helper()
	c.build(dockerfile, image, "--build-arg", "VERSION=v0.0.0-test", "--build-arg", "COMMIT=0123456789ab")
	c.build(viewerFile, viewer)
	tag := c.named("prom/alertmanager")
	if _, err := c.try("image", "inspect", tag); err == nil {
		return
	}
	alertmanager := testprogram.Find(c.t, "prometheus-alertmanager", "prometheus-alertmanager")
	busybox := testprogram.Find(c.t, "busybox", "busybox-static")
	c.importTar(tag, func(w *tar.Writer) error {
		errs := []error{
			addFile(w, alertmanager, "bin/alertmanager"), addFile(w, busybox, "bin/busybox"), addLinks(w, "wget"),
			addTree(w, "/usr/share/prometheus/alertmanager", "usr/share/prometheus/alertmanager"), // of Debian's package
			w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "alertmanager/", Mode: 0o755, Uid: 65534, Gid: 65534}),
		}
		for _, library := range c.libraries(alertmanager) {
			errs = append(errs, addFile(w, library, library))
		}
		return errors.Join(errs...)
	}, "USER 65534", `ENTRYPOINT ["/bin/alertmanager"]`, "VOLUME /alertmanager")
}

// libraries are what a program is linked with.
func (c *compose) libraries(program string) []string {
	c.t.Helper()
	out, err := exec.CommandContext(c.t.Context(), "ldd", program).Output()
	if err != nil {
		c.t.Fatalf("ldd %s: %v", program, err)
	}
	return regexp.MustCompile(`/\S+`).FindAllString(string(out), -1)
}

// named is the image of that name in the compose files, with its tag.
func (c *compose) named(name string) string {
	c.t.Helper()
	for _, file := range []string{"compose.yaml", "compose.falco-0.44.yaml"} {
		data, err := os.ReadFile(filepath.Join(examples, file))
		if err != nil {
			c.t.Fatal(err)
		}
		if found := regexp.MustCompile(`image: (` + regexp.QuoteMeta(name) + `\S*)`).FindSubmatch(data); found != nil {
			return string(found[1])
		}
	}
	c.t.Fatalf("no image %s in the compose files", name)
	return ""
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// compose returns all that docker-compose wrote.
func (c *compose) compose(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, c.program, append(append([]string{"--project-name", c.project}, c.files...), args...)...)
	cmd.Dir = c.dir
	port := func(address string) string { _, p, _ := net.SplitHostPort(address); return p }
	cmd.Env = append(os.Environ(), "VIEWER_PORT="+port(c.viewer), "ALERTMANAGER_PORT="+port(c.alertmanager),
		"VERSION=v0.0.0-test", "COMMIT=0123456789ab")
	cmd.Env = append(cmd.Env, c.buildArgs()...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// do is compose for what must succeed.
func (c *compose) do(args ...string) string {
	c.t.Helper()
	out, err := c.compose(c.t.Context(), args...)
	if err != nil {
		c.t.Fatalf("docker-compose %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (c *compose) container(service string) string {
	c.t.Helper()
	return strings.TrimSpace(c.do("ps", "--quiet", service))
}

// filelessd runs a command of filelessd beside the daemon of a service.
func (c *compose) filelessd(service string, args ...string) (string, error) {
	return c.try(append([]string{"exec", c.container(service), "/usr/bin/filelessd"}, args...)...)
}

// ids are the alerts whose reports are in the log, in its order.
func (c *compose) ids(service string) []string {
	c.t.Helper()
	out, err := c.filelessd(service, "store", "export")
	if err != nil {
		c.t.Fatalf("%v\n%s", err, out)
	}
	var ids []string
	for d := json.NewDecoder(strings.NewReader(out)); ; {
		var r struct{ ID, Kind string }
		if err := d.Decode(&r); err == io.EOF {
			return ids
		} else if err != nil {
			c.t.Fatal(err)
		}
		if r.Kind == "alert" {
			ids = append(ids, r.ID)
		}
	}
}

// page gets a page; it is empty while nobody answers.
func (c *compose) page(url string) string {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return string(body)
}

// override writes a file that replaces parts of the example, and uses it from now on.
func (c *compose) override(base, text string) {
	c.files = []string{"--file", base, "--file", writeIn(c.t, c.temp, "override.yaml", text)}
}

// standIn makes an image for one that can not be had, if it is not there.
func (c *compose) standIn(tag, text string) {
	c.t.Helper()
	if _, err := c.try("image", "inspect", tag); err == nil {
		return
	}
	cmd := c.command("build", "--quiet", "--tag", tag, "-")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("%s: %v\n%s", tag, err, out)
	}
	c.standIns = append(c.standIns, tag)
}

// forFalco copies what the compose files refer to, and takes the capabilities of Falco out of one: not every
// machine has them to give, and a stand-in needs none.
func forFalco(t *testing.T, file string) (dir string) {
	t.Helper()
	to := t.TempDir()
	for _, dir := range []string{"compose", "falco"} {
		if err := os.CopyFS(filepath.Join(to, dir), os.DirFS(filepath.Join("..", dir))); err != nil {
			t.Fatal(err)
		}
	}
	dir = filepath.Join(to, "compose")
	data, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	before, after, found := strings.Cut(string(data), "    cap_add: [SYS_ADMIN, SYS_RESOURCE, SYS_PTRACE]\n")
	if !found {
		t.Fatalf("%s has other capabilities for Falco", file)
	}
	writeIn(t, dir, file, before+after)
	return dir
}

// shellBlock is the block of commands on a page that has a word in it.
func shellBlock(t *testing.T, page, word string) string {
	t.Helper()
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range bytes.Split(data, []byte("```sh\n"))[1:] {
		commands, _, _ := bytes.Cut(block, []byte("```"))
		if bytes.Contains(commands, []byte(word)) {
			return string(commands)
		}
	}
	t.Fatalf("%s has no commands with %s", page, word)
	return ""
}

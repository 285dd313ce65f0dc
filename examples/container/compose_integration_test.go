//go:build integration

package container

import (
	"archive/tar"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/testprogram"
)

// TestIntegrationComposeUp brings the example up as a user does: the report is in the log on the terminal, on
// the viewer's page and in Alertmanager. Then filelessd is killed, and restarted, while the viewer is down;
// then all goes.
func TestIntegrationComposeUp(t *testing.T) {
	c := newCompose(t, examples)
	began := time.Now()
	c.do("up", "--detach", "--build")
	waitFor(t, "a report on the terminal", func() bool {
		return strings.Contains(c.do("logs", "--no-color", "filelessd"), "Execution from an anonymous memory file")
	})
	t.Logf("the first report after %.1f s", time.Since(began).Seconds())
	first := c.ids("filelessd")[0]
	waitFor(t, "the report in the viewer", func() bool { return strings.Contains(c.page("http://"+c.viewer), first) })
	waitFor(t, "the alert in Alertmanager", func() bool {
		return strings.Contains(c.page("http://"+c.alertmanager+"/api/v2/alerts"), "FilelessExecution")
	})
	waitFor(t, "health", func() bool {
		return c.run("inspect", "--format", "{{.State.Health.Status}}", c.container("filelessd")) == "healthy"
	})

	c.killed()

	c.do("stop", "filelessd")
	if code := c.run("inspect", "--format", "{{.State.ExitCode}}", c.container("filelessd")); code != "0" {
		t.Errorf("filelessd ended with %s", code)
	}
	c.do("down", "--volumes")
	for _, left := range [][]string{{"ps", "--all", "--quiet"}, {"volume", "ls", "--quiet"}, {"network", "ls", "--quiet"}} {
		if ids := c.run(append(left, "--filter", "label=com.docker.compose.project="+c.project)...); ids != "" {
			t.Errorf("docker %s: %s", left[0], ids)
		}
	}
}

// killed stops the viewer, has reports wait for it, kills filelessd as the kernel would and restarts it too:
// all of them come when the viewer is back. Without grouping, so that each alert is a report.
func (c *compose) killed() {
	c.t.Helper()
	config, err := os.ReadFile(filepath.Join(examples, "filelessd.yaml"))
	if err != nil {
		c.t.Fatal(err)
	}
	path := writeIn(c.t, c.temp, "filelessd.yaml", string(config)+"grouping: {enabled: false}\n")
	c.override("compose.yaml", "services: {filelessd: {volumes: ['"+path+":/etc/filelessd/config.yaml:ro']}}\n")
	c.do("up", "--detach")
	c.do("stop", "viewer")
	before := c.ids("filelessd")
	var waiting []string
	waitFor(c.t, "reports that wait", func() bool {
		waiting = slices.DeleteFunc(c.ids("filelessd"), func(id string) bool { return slices.Contains(before, id) })
		return len(waiting) >= 3
	})
	id := c.container("filelessd")
	c.kill(id)
	waitFor(c.t, "the restart", func() bool {
		says, err := c.filelessd("filelessd", "status")
		return err == nil && strings.Contains(says, "viewer") && c.run("inspect", "--format", "{{.RestartCount}}", id) != "0"
	})
	c.do("restart", "filelessd")
	c.do("start", "viewer")
	for _, id := range waiting {
		waitFor(c.t, "report "+id, func() bool { return strings.Contains(c.page("http://"+c.viewer), id) })
	}
	c.t.Logf("%d reports waited", len(waiting))
}

// kill ends the process of a container, which docker kill would not: Docker then takes it for stopped by hand.
func (c *compose) kill(id string) {
	c.t.Helper()
	pid, err := strconv.Atoi(c.run("inspect", "--format", "{{.State.Pid}}", id))
	if err != nil {
		c.t.Fatal(err)
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil || strings.TrimSpace(string(name)) != "filelessd" {
		c.t.Fatalf("process %d is %s: %v", pid, name, err)
	}
	process, err := os.FindProcess(pid)
	if err == nil {
		err = process.Kill()
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// TestIntegrationComposeFalco: the profile falco, with a stand-in that opens Falco's socket as Falco does, as root and
// without the capability to write where others own.
func TestIntegrationComposeFalco(t *testing.T) {
	c := newCompose(t, forFalco(t, "compose.yaml"))
	c.standIn(c.named("falcosecurity/falco:0.43"), "FROM "+image+"\nUSER 0:0\nHEALTHCHECK NONE\n"+
		`ENTRYPOINT ["/usr/bin/filelessd", "simulate", "--socket", "/run/falco/falco.sock"]`+"\nCMD []\n")
	// What of the host only Falco reads is not on every machine.
	c.override("compose.yaml", "services: {falco: {volumes: ['/proc:/sys/kernel/tracing:ro', '/dev/null:/host/var/run/docker.sock:ro']}}\n")
	c.files = append(c.files, "--profile", "falco")
	c.do("up", "--detach")
	waitFor(t, "a report", func() bool {
		return strings.Contains(c.do("logs", "--no-color", "filelessd-falco"), "Execution from an anonymous memory file")
	})
	if running := c.do("ps", "--services", "--filter", "status=running"); strings.Contains(running, "simulate") {
		t.Errorf("with the profile falco run:\n%s", running)
	}
}

// TestIntegrationComposeFalco044: the file for Falco 0.44, with the secrets as the page makes them and a stand-in
// that posts an alert to the address in Falco's configuration.
func TestIntegrationComposeFalco044(t *testing.T) {
	c := newCompose(t, forFalco(t, "compose.falco-0.44.yaml"))
	cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", shellBlock(t, examples+"/README.md", "secrets/falco-token"))
	cmd.Dir = c.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the commands of README.md: %v\n%s", err, out)
	}
	c.postingFalco(c.named("falcosecurity/falco:0.44"))
	c.override("compose.falco-0.44.yaml", "services: {falco: {volumes: ['/proc:/sys/kernel/tracing:ro', '/dev/null:/host/var/run/docker.sock:ro']}}\n")
	c.do("up", "--detach")
	waitFor(t, "a report", func() bool {
		return strings.Contains(c.do("logs", "--no-color", "filelessd"), "Execution from an anonymous memory file")
	})
	first := c.ids("filelessd")[0]
	waitFor(t, "the report in the viewer", func() bool { return strings.Contains(c.page("http://"+c.viewer), first) })
}

// postingFalco makes an image that posts an alert as http_output does, and stays.
func (c *compose) postingFalco(tag string) {
	c.t.Helper()
	if _, err := c.try("image", "inspect", tag); err == nil {
		return
	}
	alerts, err := os.ReadFile(filepath.Join(top, "examples/alerts/stable-rules.file-output.jsonl"))
	if err != nil {
		c.t.Fatal(err)
	}
	file := writeFile(c.t, "alerts", string(alerts))
	busybox := testprogram.Find(c.t, "busybox", "busybox-static")
	c.importTar(tag, func(w *tar.Writer) error {
		return errors.Join(addFile(w, busybox, "bin/busybox"), addLinks(w, "sh", "sed", "wget", "tail"), addFile(w, file, "alerts"))
	}, "ENV PATH=/bin", `ENTRYPOINT ["sh", "-ec", "`+
		`url=$(sed -n 's/.*url: *\"\\(.*\\)\".*/\\1/p' /etc/falco/config.d/filelessd-http.yaml); `+
		`wget -q -O - --header 'Content-Type: application/json' --post-file /alerts \"$url\"; exec tail -f /dev/null"]`)
	c.standIns = append(c.standIns, tag)
}

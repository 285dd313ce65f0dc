//go:build integration

package cli

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/filelessd/filelessd/internal/testprogram"
)

// TestIntegrationNginx delivers to a webhook behind nginx: when all is well, when what is behind
// nginx is down (502), and when nginx itself is down. All reports arrive once that is over.
func TestIntegrationNginx(t *testing.T) {
	program := testprogram.Find(t, "nginx", "nginx-light")
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			receiver := newReceiver(t)
			n := newNginx(t, program, scheme)
			behind := n.serveBehind(receiver.Config.Handler)
			sink := scheme + "://" + n.address + "/hook"
			d := newDaemon(t, sink, "")
			if scheme == "https" {
				d.edit(sink, sink+", tls: {ca_file: "+n.certs.ca+"}")
			}
			lines, ids := alerts(t, 400)
			next := 0
			post := func(some int) {
				d.postAll(lines[next : next+some])
				next += some
			}
			arrived := func() bool { distinct, _ := receiver.got(); return distinct == next }

			n.start()
			p := d.run()
			post(100)
			waitFor(t, "reports through nginx", arrived)

			behind.Close()
			post(100)
			waitFor(t, "answers of 502", func() bool { return strings.Count(n.accessLog(), " 502 ") >= 3 })
			if got := d.metric(`filelessd_sink_up{sink="soc"}`); got != "0" {
				t.Errorf("sink_up is %s while nginx answers 502", got)
			}
			n.serveBehind(receiver.Config.Handler)
			waitFor(t, "reports after 502", arrived)

			n.stop()
			post(100)
			waitFor(t, "a failed connection", func() bool { return strings.Contains(p.logged(), "connection refused") })
			n.start()
			waitFor(t, "reports after nginx was down", arrived)

			posted := postAtOnce(d, lines[next:next+100])
			next += 100
			n.stop() // while reports are under way
			n.start()
			<-posted
			waitFor(t, "reports after a restart of nginx", arrived)

			n.check(d, receiver, ids)
			p.signal(syscall.SIGTERM)
			if p.code() != 0 {
				t.Errorf("exit status %d", p.code())
			}
		})
	}
}

// TestIntegrationNginxUntrusted: without its authority in tls.ca_file, nothing goes to nginx; with
// it, everything that waited.
func TestIntegrationNginxUntrusted(t *testing.T) {
	n := newNginx(t, testprogram.Find(t, "nginx", "nginx-light"), "https")
	receiver := newReceiver(t)
	n.serveBehind(receiver.Config.Handler)
	n.start()
	sink := "https://" + n.address
	d := newDaemon(t, sink, "\ndrain_timeout: 1s\n")
	lines, ids := alerts(t, 10)
	p := d.run()
	d.postAll(lines)
	waitFor(t, "a certificate that is not trusted", func() bool { return strings.Contains(p.logged(), "certificate signed by unknown authority") })
	p.signal(syscall.SIGTERM)
	if log := n.accessLog(); log != "" {
		t.Errorf("nginx was asked:\n%s", log)
	}
	d.edit(sink, sink+", tls: {ca_file: "+n.certs.ca+"}")
	p = d.run()
	waitFor(t, "the reports", func() bool { distinct, _ := receiver.got(); return distinct == len(lines) })
	n.check(d, receiver, ids)
	p.signal(syscall.SIGTERM)
}

// nginx is an nginx in front of a server, which can both come and go.
type nginx struct {
	t       *testing.T
	program string
	dir     string
	address string // where it listens
	behind  string // where it passes requests on to
	certs   certificates

	cmd *exec.Cmd
}

const nginxConfig = `
daemon off;
master_process off;  # one process, which runs as who started it
pid %[1]s/pid;
error_log %[1]s/error.log;
events {}
http {
	access_log %[1]s/access.log;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	server {
		listen %[2]s;
		location / { proxy_pass http://%[3]s; }
	}
}
`

func newNginx(t *testing.T, program, scheme string) *nginx {
	t.Helper()
	n := &nginx{t: t, program: program, dir: t.TempDir(), address: freePort(t), behind: freePort(t)}
	listen := n.address
	if scheme == "https" {
		n.certs = newCertificates(t)
		listen += " ssl;\n\t\tssl_certificate " + n.certs.cert + ";\n\t\tssl_certificate_key " + n.certs.key
	}
	text := fmt.Sprintf(nginxConfig, n.dir, listen, n.behind)
	if err := os.WriteFile(filepath.Join(n.dir, "conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n.cmd != nil {
			n.stop()
		}
		if t.Failed() {
			t.Logf("nginx:\n%s", n.read("error.log"))
		}
	})
	return n
}

func (n *nginx) start() {
	n.t.Helper()
	n.cmd = exec.Command(n.program, "-p", n.dir, "-c", filepath.Join(n.dir, "conf"), "-e", filepath.Join(n.dir, "error.log"))
	n.cmd.Stderr = os.Stderr
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	waitFor(n.t, "nginx", func() bool {
		conn, err := net.Dial("tcp", n.address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

func (n *nginx) stop() {
	n.t.Helper()
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		n.t.Error(err)
	}
	if err := n.cmd.Wait(); err != nil {
		n.t.Errorf("nginx: %v", err)
	}
	n.cmd = nil
}

// serveBehind starts a server where nginx passes requests on to.
func (n *nginx) serveBehind(handler http.Handler) *httptest.Server {
	n.t.Helper()
	l, err := net.Listen("tcp", n.behind)
	if err != nil {
		n.t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: handler}}
	server.Start()
	n.t.Cleanup(server.Close)
	return server
}

func (n *nginx) read(name string) string {
	data, err := os.ReadFile(filepath.Join(n.dir, name))
	if err != nil && !os.IsNotExist(err) {
		n.t.Error(err)
	}
	return string(data)
}

func (n *nginx) accessLog() string { return n.read("access.log") }

// check is called when all reports came: each came, none was given up, and only those that were
// under way when nginx went came again.
func (n *nginx) check(d *testDaemon, r *receiver, ids []string) {
	n.t.Helper()
	if missing := r.missing(ids); len(missing) != 0 {
		n.t.Errorf("%d reports are missing", len(missing))
	}
	const concurrency = 4 // the sink's default
	if _, repeated := r.got(); repeated > concurrency {
		n.t.Errorf("%d reports came again", repeated)
	}
	waitFor(n.t, "an empty backlog", func() bool { return d.metric(`filelessd_sink_backlog{sink="soc"}`) == "0" })
	if got := d.metric(`filelessd_dead_letters{sink="soc"}`); got != "0" {
		n.t.Errorf("%s dead letters", got)
	}
	if got := d.metric(`filelessd_sink_up{sink="soc"}`); got != "1" {
		n.t.Errorf("sink_up is %s at the end", got)
	}
}

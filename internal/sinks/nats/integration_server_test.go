//go:build integration

package nats

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/filelessd/filelessd/internal/testca"
	"github.com/filelessd/filelessd/internal/testprogram"
	"github.com/filelessd/filelessd/pkg/sink"
)

const natsConfig = `
listen: 127.0.0.1:%[2]d
jetstream { store_dir: "%[1]s/js" }
%[3]s
%[4]s
`

const permissions = `permissions: {publish: ["filelessd.>"], subscribe: ["_INBOX.>"]}`

type server struct {
	t       *testing.T
	dir     string
	program string
	port    int
	extra   []nats.Option // of the test's own connection
	cmd     *exec.Cmd
	output  bytes.Buffer
}

func newServer(t *testing.T, secure, authorization string, extra ...nats.Option) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir(), program: testprogram.Find(t, "nats-server", "nats-server"), port: freePort(t), extra: extra}
	testca.New(t, s.dir, "ca").Issue(t, "cert")
	section := "authorization { " + authorization + " }"
	if strings.HasPrefix(authorization, "operator") {
		section = authorization
	}
	s.write("conf", fmt.Appendf(nil, natsConfig, s.dir, s.port, strings.ReplaceAll(secure, "DIR", s.dir), section))
	s.start()
	t.Cleanup(s.stop)
	return s
}

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (s *server) write(name string, data []byte) {
	if err := os.WriteFile(filepath.Join(s.dir, name), data, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) start() {
	s.t.Helper()
	s.cmd = exec.Command(s.program, "-c", filepath.Join(s.dir, "conf"))
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("nats-server does not listen:\n%s", s.output.String())
		}
	}
}

// pause stops the process where it is; it returns when all of its threads stand still.
func (s *server) pause() {
	s.t.Helper()
	var status syscall.WaitStatus
	_ = s.cmd.Process.Signal(syscall.SIGSTOP)
	if _, err := syscall.Wait4(s.cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		s.t.Fatalf("it does not pause: %v, %v", err, status)
	}
}

func (s *server) stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // which is what a stream has to survive
	_ = s.cmd.Wait()
	s.cmd = nil
}

func (s *server) config() Config {
	c := defaults()
	c.URL = sink.Secret(fmt.Sprintf("nats://127.0.0.1:%d", s.port))
	return c
}

func (s *server) stream(c nats.StreamConfig) nats.JetStreamContext {
	s.t.Helper()
	options := append([]nats.Option{nats.MaxReconnects(-1), nats.ReconnectWait(10 * time.Millisecond)}, s.extra...)
	conn, err := nats.Connect(fmt.Sprintf("nats://127.0.0.1:%d", s.port), options...)
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.output.String())
	}
	s.t.Cleanup(conn.Close)
	js, err := conn.JetStream(nats.MaxWait(10 * time.Second))
	if err != nil {
		s.t.Fatal(err)
	}
	c.Name, c.Subjects = "REPORTS", []string{"filelessd.>"}
	if _, err := js.AddStream(&c); err != nil {
		s.t.Fatal(err)
	}
	return js
}

func (s *server) messages(js nats.JetStreamContext) (all []*nats.RawStreamMsg) {
	s.t.Helper()
	info, err := js.StreamInfo("REPORTS")
	if err != nil {
		s.t.Fatal(err)
	}
	for seq := info.State.FirstSeq; seq > 0 && seq <= info.State.LastSeq; seq++ {
		m, err := js.GetMsg("REPORTS", seq)
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

const reader = `{user: reader, password: reader}`

func asReader() nats.Option { return nats.UserInfo("reader", "reader") }

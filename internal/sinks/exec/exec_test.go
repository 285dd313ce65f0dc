package exec

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

const token = "t0ken-of-the-program"

// The test's own binary is the program that is run, if its environment says where to report.
func TestMain(m *testing.M) {
	if address := os.Getenv("TEST_ADDRESS"); address != "" {
		os.Exit(handler(address))
	}
	goleak.VerifyTestMain(m)
}

// handler sends its input to the test, says its secret, and exits as it is told.
func handler(address string) int {
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return 74
	}
	fmt.Fprintln(os.Stderr, "called with", os.Environ(), string(input))
	conn, err := net.Dial("unix", address)
	if err != nil {
		return 69
	}
	defer conn.Close()
	_, _ = conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(input))), input...))
	var status [1]byte
	if _, err := io.ReadFull(conn, status[:]); err != nil {
		return 75
	}
	return int(status[0])
}

func serve(conn net.Conn, s *sinktest.Server) {
	var length [4]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return
	}
	input := make([]byte, binary.BigEndian.Uint32(length[:]))
	if _, err := io.ReadFull(conn, input); err != nil {
		return
	}
	switch s.Take(input) {
	case sinktest.Accepts:
		_, _ = conn.Write([]byte{0})
	case sinktest.Rejects:
		_, _ = conn.Write([]byte{exitData})
	case sinktest.Fails:
		_, _ = conn.Write([]byte{75})
	}
}

func TestConformance(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Harness {
		s := sinktest.NewServer(t, "unix", nil, serve)
		program := filepath.Join(t.TempDir(), "program")
		if err := os.Symlink(executable(t), program); err != nil {
			t.Fatal(err)
		}
		config := Kind.Default()
		config.Command = []string{program, "--flag", "$(id) `id` ; *"}
		config.Environment = map[string]sink.Secret{"TEST_ADDRESS": sink.Secret(s.Address), "TOKEN": token}
		h := s.Harness()
		leave := h.Leave
		h.Open = func() (sink.Sink, error) { return Kind.Open(context.Background(), config, sinktest.Env()) }
		h.Leave = func() {
			leave()
			_ = os.Remove(program)
		}
		h.Inert, h.Secret, h.Throttle = sinktest.CheckJSON, token, nil
		h.Lacks = map[string]string{"Throttle": "an exit status has no room for a time"}
		return h
	})
}

func executable(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func openExec(t testing.TB, c Config) sink.Sink {
	t.Helper()
	if c.Directory == "" {
		c.Directory = "/"
	}
	if c.Format == "" {
		c.Format = "json"
	}
	s, err := Kind.Open(context.Background(), c, sinktest.Env())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sh is a program of the test; what it does is written in the shell's language, which the sink itself
// has nothing to do with.
func sh(script string) []string { return []string{"/bin/sh", "-c", script} }

func TestStatus(t *testing.T) {
	tests := []struct {
		script, class, want string
	}{
		{"cat >/dev/null", "delivered", ""},
		{"exit 0", "delivered", ""}, // without reading its input
		{"echo no >&2; exit 65", "final", `run /bin/sh: exit status 65: "no"`},
		{"exit 75", "passing", "run /bin/sh: exit status 75"},
		{"exit 64", "passing", "run /bin/sh: exit status 64"},
		{"exit 1", "passing", "run /bin/sh: exit status 1"},
		{"kill -TERM $$", "passing", "run /bin/sh: signal: terminated"},
		{`printf 'a\n\033[2J\nb %s' "$TOKEN"; exit 3`, "passing", `run /bin/sh: exit status 3: "a \\x1b[2J b [redacted]"`},
	}
	for _, tt := range tests {
		t.Run(tt.script, func(t *testing.T) {
			to := openExec(t, Config{Command: sh(tt.script), Environment: map[string]sink.Secret{"TOKEN": token}})
			err := to.Deliver(t.Context(), sinktest.Big())
			class := "passing"
			switch {
			case err == nil:
				class = "delivered"
			case sink.IsPermanent(err):
				class = "final"
			}
			if class != tt.class || err != nil && err.Error() != tt.want {
				t.Errorf("%s: %v", class, err)
			}
		})
	}
}

// The environment is what the sink says, whatever the daemon's is, and nothing of the alert is in it or in the
// arguments.
func TestEnvironment(t *testing.T) {
	t.Setenv("LD_PRELOAD", "")
	t.Setenv("NOTIFY_SOCKET", "/x")
	out := filepath.Join(t.TempDir(), "out")
	to := openExec(t, Config{
		Command: append(sh(`env >"$0"; pwd >>"$0"; printf '%s,' "$@" >>"$0"`), out, "a b", "$HOME"), Directory: "/tmp",
		Environment: map[string]sink.Secret{"PATH": "/bin:/usr/bin", "TOKEN": token},
	})
	if err := to.Deliver(t.Context(), sinktest.Hostile()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got := slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool {
		return strings.HasPrefix(line, "_=") || strings.HasPrefix(line, "SHLVL=") || strings.HasPrefix(line, "OLDPWD=") // the shell's own
	})
	slices.Sort(got)
	want := []string{
		"/tmp", "FILELESSD_ID=" + sinktest.Hostile().ID, "FILELESSD_KIND=alert", "FILELESSD_SEVERITY=high",
		"FILELESSD_SINK=test", "PATH=/bin:/usr/bin", "PWD=/tmp", "TOKEN=" + token, "a b,$HOME,",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestFormats(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	to := openExec(t, Config{
		Command: []string{"/usr/bin/tee", "-a", out},
		Output:  sink.Output{Format: sink.FormatTemplate, Template: `{{.Severity}} {{.Field "proc.cmdline"}}` + "\n"},
	})
	for range 2 {
		if err := to.Deliver(t.Context(), sinktest.Ordinary()); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(out); string(text) != "high 3 --quiet\nhigh 3 --quiet\n" {
		t.Errorf("%q, %v", text, err)
	}
}

// A report is what report.Marshal returns, to the byte, for a real program that reads it.
func TestTee(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	r := sinktest.Hostile()
	if err := openExec(t, Config{Command: []string{"/usr/bin/tee", out}}).Deliver(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if want, err := report.Marshal(r); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, want %d: %v", len(got), len(want), err)
	}
}

func TestOpenLooksForTheProgram(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]Config{
		"command: exec: \"/none\": stat /none: no such file":    {Command: []string{"/none"}, Directory: "/"},
		"command: exec: \"" + plain + "\": permission denied":   {Command: []string{plain}, Directory: "/"},
		"directory: /none: no such file or directory":           {Command: []string{"/bin/sh"}, Directory: "/none"},
		"command: want the program as an absolute path, got \"": {Command: []string{"sh"}, Directory: "/"},
	} {
		c.Format = "json"
		if _, err := Kind.Open(t.Context(), c, sinktest.Env()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// BenchmarkDeliver runs a program that does nothing: what is measured is the start of a process.
func BenchmarkDeliver(b *testing.B) {
	path, err := exec.LookPath("true")
	if err != nil {
		b.Fatal(err)
	}
	to := openExec(b, Config{Command: []string{path}})
	r := sinktest.Ordinary()
	b.Run("single", func(b *testing.B) {
		for b.Loop() {
			if err := to.Deliver(b.Context(), r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

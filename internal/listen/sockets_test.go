package listen

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestSame(t *testing.T) {
	for _, tt := range []struct {
		address, bound string
		want           bool
	}{
		{"127.0.0.1:2801", "127.0.0.1:2801", true},
		{"127.0.0.1:2801", "[::ffff:127.0.0.1]:2801", true},
		{"[::1]:2801", "[::1]:2801", true},
		{"localhost:2801", "127.0.0.1:2801", true},
		{":2801", "[::]:2801", true},
		{":2801", "0.0.0.0:2801", true},
		{"0.0.0.0:2801", "0.0.0.0:2801", true},
		{"[::]:2801", "[::]:2801", true},
		// What would let in more than the configuration says.
		{"127.0.0.1:2801", "0.0.0.0:2801", false},
		{"127.0.0.1:2801", "[::]:2801", false},
		{"localhost:2801", "[::]:2801", false},
		{"0.0.0.0:2801", "[::]:2801", false},
		// And less.
		{":2801", "127.0.0.1:2801", false},
		{"127.0.0.1:2801", "127.0.0.2:2801", false},
		{"127.0.0.1:2801", "127.0.0.1:2802", false},
		{"127.0.0.1:0", "127.0.0.1:2801", false},
		{"127.0.0.1", "127.0.0.1:2801", false},
		{"127.0.0.1:http", "127.0.0.1:80", false},
		{"name.invalid:2801", "127.0.0.1:2801", false},
	} {
		if got := Same(t.Context(), tt.address, netip.MustParseAddrPort(tt.bound)); got != tt.want {
			t.Errorf("%s for %s: %t", tt.bound, tt.address, got)
		}
	}
	if Same(t.Context(), ":0", netip.AddrPort{}) {
		t.Error("no address is an address")
	}
}

// childVar makes the test binary a program that gets sockets as from systemd, and says what it makes of
// them.
const childVar = "LISTEN_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVar) != "" {
		child()
		return
	}
	os.Exit(m.Run())
}

// child opens each of its arguments, twice, and greets who comes.
func child() {
	s := FromSystemd()
	say := func(words ...string) { os.Stdout.WriteString(strings.Join(words, " ") + "\n") }
	if os.Getenv("LISTEN_FDS") != "" || len(FromSystemd().Unused()) > 0 {
		say("the environment still has it")
	}
	for _, address := range os.Args[1:] {
		first, err := s.Open(new(testing.T).Context(), address)
		if err != nil {
			say("error:", err.Error())
			continue
		}
		first.Close()
		l, err := s.Open(new(testing.T).Context(), address)
		if err != nil {
			say("again:", err.Error())
			continue
		}
		if os.Getenv(childVar) == "greet" {
			c, err := l.Accept()
			if err != nil {
				say("accept:", err.Error())
				continue
			}
			_, _ = c.Write([]byte("hello"))
			c.Close()
		}
		say("opened", address)
	}
	say("unused", strings.Join(s.Unused(), ", "))
}

// asChild runs child with sockets. By way of a shell, because LISTEN_PID has to be that of the process.
func asChild(t *testing.T, what, pid string, files []*os.File, addresses ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", append([]string{"-c", "LISTEN_PID=" + pid + ` exec "$0" "$@"`, os.Args[0]}, addresses...)...)
	cmd.Env = append(os.Environ(), childVar+"="+what, "LISTEN_FDS="+string(rune('0'+len(files))), "LISTEN_FDNAMES=filelessd.socket:two:three")
	cmd.ExtraFiles, cmd.Stderr = files, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// passed is a socket as systemd makes it.
func passed(t *testing.T, network, address string) (net.Listener, *os.File) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close(); l.Close() })
	return l, f
}

// TestSocketsAreTaken: who connected before the program came is answered, and a socket can be opened again.
func TestSocketsAreTaken(t *testing.T) {
	l, file := passed(t, "tcp", "127.0.0.1:0")
	_, other := passed(t, "unix", t.TempDir()+"/s")
	early, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	got := asChild(t, "greet", "$$", []*os.File{file, other}, l.Addr().String())
	want := []string{"opened " + l.Addr().String(), "unused two (unix:" + strings.TrimPrefix(other.Name(), "unix:") + ")"}
	if got[0] != want[0] || !strings.HasPrefix(got[1], "unused two (unix:") || len(got) != 2 {
		t.Errorf("the program says %q, want %q", got, want)
	}
	buf := make([]byte, 10)
	if n, _ := early.Read(buf); string(buf[:n]) != "hello" {
		t.Errorf("who came early was told %q", buf[:n])
	}
}

// TestSocketsOfOthers: sockets that were passed to another process are not taken, and one for another
// address is named where a bind fails.
func TestSocketsOfOthers(t *testing.T) {
	l, file := passed(t, "tcp", "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(l.Addr().String())
	got := asChild(t, "open", "1", []*os.File{file}, l.Addr().String())
	if !strings.Contains(got[0], "address already in use") || got[1] != "unused" {
		t.Errorf("another process's: %q", got)
	}
	got = asChild(t, "open", "$$", []*os.File{file}, "0.0.0.0:"+port)
	if !strings.Contains(got[0], "filelessd.socket of systemd listens on "+l.Addr().String()) {
		t.Errorf("another address: %q", got)
	}
	if !slices.Contains(got, "unused filelessd.socket ("+l.Addr().String()+")") {
		t.Errorf("%q", got)
	}
}

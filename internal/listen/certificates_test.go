package listen

import (
	"crypto/tls"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/internal/testca"
)

// TestCertificatesAreRenewed has a listener go through the life of its certificates: what is renewed
// counts for the next connection, and what is broken for none.
func TestCertificatesAreRenewed(t *testing.T) {
	dir := t.TempDir()
	first, second := testca.New(t, dir, "ca"), testca.New(t, dir, "second")
	first.Issue(t, "server")
	a, b := first.Issue(t, "a"), second.Issue(t, "b")
	ports := Ports{Certificates: new(Certificates)}
	keys := TLS{CertFile: first.File("server.pem"), KeyFile: first.File("server.key"), ClientCAFile: first.File("ca.pem")}
	l, err := ports.Open(t.Context(), "127.0.0.1:0", keys)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go greet(l)

	known := tls.NewLRUClientSessionCache(10)
	try := func(cert tls.Certificate) string {
		return greeted(t, l, &tls.Config{
			RootCAs: first.Pool(), ServerName: "localhost", Certificates: []tls.Certificate{cert}, ClientSessionCache: known,
		})
	}
	expect := func(when, gotA, gotB, served string) {
		t.Helper()
		if a, b := try(a), try(b); (a == "hello "+served) != (gotA == "in") || (b == "hello "+served) != (gotB == "in") {
			t.Errorf("%s: the client a got %q, b %q; want a %s, b %s", when, a, b, gotA, gotB)
		}
	}
	renew := func() (apply func(), changed []string) {
		t.Helper()
		apply, changed, err := ports.Certificates.Renew(anyListener)
		if err != nil {
			t.Fatal(err)
		}
		return apply, changed
	}
	serial := serialOf(t, first.File("server.pem"))
	expect("at first", "in", "out", serial)

	if _, changed := renew(); changed != nil {
		t.Errorf("files that stay as they are: changed %q", changed)
	}
	first.Issue(t, "server")
	renewed := serialOf(t, first.File("server.pem"))
	apply, changed := renew()
	if !slices.Equal(changed, []string{"127.0.0.1:0"}) {
		t.Errorf("changed %q", changed)
	}
	expect("read, and not applied", "in", "out", serial)
	apply()
	expect("renewed", "in", "out", renewed)

	for name, text := range map[string]string{"server.key": "junk", "ca.pem": "junk", "server.pem": ""} {
		before, err := os.ReadFile(first.File(name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, first.File(name), text)
		_, _, err = ports.Certificates.Renew(anyListener)
		if err == nil || !strings.Contains(err.Error(), first.File(name)) || !strings.Contains(err.Error(), "127.0.0.1:0") {
			t.Errorf("with a broken %s: %v, want an error that names the file and the listener", name, err)
		}
		expect("with a broken "+name, "in", "out", renewed)
		write(t, first.File(name), string(before))
	}

	text, err := os.ReadFile(first.File("second.pem"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, first.File("ca.pem"), string(text))
	apply, _ = renew()
	apply()
	expect("with another authority", "out", "in", renewed)
}

// TestCertificatesOfNobody makes sure that what opens a port without a daemon needs none.
func TestCertificatesOfNobody(t *testing.T) {
	apply, changed, err := (*Certificates)(nil).Renew(anyListener)
	if err != nil || changed != nil {
		t.Error(changed, err)
	}
	apply()
	if config, err := new(Certificates).Config("127.0.0.1:0", TLS{}); config != nil || err != nil {
		t.Error(config, err)
	}
}

func anyListener(string, TLS) bool { return true }

// greet says hello to each who is let in.
func greet(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = c.Write([]byte("hello "))
		_ = c.Close()
	}
}

// greeted returns what a client hears, with the serial number of the server's certificate behind it.
func greeted(t *testing.T, l net.Listener, config *tls.Config) string {
	t.Helper()
	raw, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn := tls.Client(raw, config)
	defer func() { _ = conn.Close() }()
	word := make([]byte, 6)
	if _, err := conn.Read(word); err != nil {
		return err.Error()
	}
	return string(word) + conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

func serialOf(t *testing.T, file string) string {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(file, strings.TrimSuffix(file, ".pem")+".key")
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf.SerialNumber.String()
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

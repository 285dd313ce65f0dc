//go:build integration

package smtp

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/testprogram"
)

// eximConfig takes mail from who logged in, for one domain, defers one mailbox, refuses another and one
// kind of report, and keeps what it took as files.
const eximConfig = `
exim_path = PROGRAM
spool_directory = DIR/spool
log_file_path = DIR/log/%s
pid_file_path = DIR/exim.pid
primary_hostname = mail.test
local_interfaces = 127.0.0.1
daemon_smtp_ports = PLAINPORT : TLSPORT
tls_on_connect_ports = TLSPORT
tls_advertise_hosts = *
tls_certificate = DIR/cert.pem
tls_privatekey = DIR/key.pem
auth_advertise_hosts = ${if def:tls_in_cipher {*}{}}
host_lookup =
keep_environment =
deliver_drop_privilege = true
smtp_enforce_sync = true
helo_verify_hosts =
message_size_limit = 4M
smtp_accept_max_per_connection = 4
acl_smtp_rcpt = rcpt
acl_smtp_data = data
begin acl
rcpt:
  deny message = log in first
       !authenticated = *
  defer message = mailbox full
       local_parts = full
       condition = ${if exists{DIR/full}}
  deny message = no such mailbox
       local_parts = gone
  accept domains = soc.example
  deny message = relay not permitted
data:
  deny message = not this kind, said $sender_host_authenticated
       condition = ${if eq{$h_X-Filelessd-Kind:}{quiet}}
  accept
begin routers
all:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = DIR/mail
  maildir_format
  envelope_to_add
  user = USER
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{LOGINNAME}}{eq{$auth3}{PASSWORD}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = <| Username: | Password:
  server_condition = ${if and{{eq{$auth1}{LOGINNAME}}{eq{$auth2}{PASSWORD}}}}
  server_set_id = $auth1
`

// exim is a real Exim in a directory of its own. It gives up root for the user that Debian made for it.
type exim struct {
	t          *testing.T
	dir        string
	plain, tls string // addresses
	ca         string
	command    *exec.Cmd
}

func newExim(t *testing.T) *exim {
	program := testprogram.Find(t, "exim4", "exim4-daemon-light")
	owner, err := user.Lookup("Debian-exim")
	if err != nil || os.Getuid() != 0 {
		const text = "Exim needs root and the user Debian-exim to run with a configuration of the test: %v"
		if os.Getenv("FILELESSD_INTEGRATION") == "1" {
			t.Fatalf(text, err)
		}
		t.Skipf(text, err)
	}
	dir, err := os.MkdirTemp("", "filelessd-exim-") // which that user can enter, unlike t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	e := &exim{t: t, dir: dir, plain: freeAddress(t), tls: freeAddress(t)}
	config, ca := certificate(t)
	e.ca = ca
	key, err := x509.MarshalPKCS8PrivateKey(config.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("PROGRAM", program, "DIR", dir, "PLAINPORT", port(e.plain), "TLSPORT", port(e.tls),
		"USER", owner.Username, "LOGINNAME", login, "PASSWORD", password).Replace(eximConfig)
	for name, data := range map[string]string{
		"cert.pem": string(cert), "key.pem": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})), "exim.conf": text,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	uid, _ := strconv.Atoi(owner.Uid)
	gid, _ := strconv.Atoi(owner.Gid)
	for _, sub := range []string{"spool", "log", "mail", "mail/new", "mail/cur", "mail/tmp"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{".", "spool", "log", "mail", "mail/new", "mail/cur", "mail/tmp", "cert.pem", "key.pem"} {
		if err := os.Chown(filepath.Join(dir, name), uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	e.start(program)
	t.Cleanup(e.stop)
	return e
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func port(address string) string {
	_, p, _ := net.SplitHostPort(address)
	return p
}

func (e *exim) start(program string) {
	e.t.Helper()
	var out bytes.Buffer
	e.command = exec.Command(program, "-C", e.dir+"/exim.conf", "-bdf")
	e.command.Stdout, e.command.Stderr = &out, &out
	e.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with the processes that deliver
	if err := e.command.Start(); err != nil {
		e.t.Fatal(err)
	}
	e.until("Exim listens", func() bool {
		for _, a := range []string{e.plain, e.tls} {
			conn, err := net.Dial("tcp", a)
			if err != nil {
				return false
			}
			conn.Close()
		}
		return true
	}, &out)
}

func (e *exim) stop() {
	if e.command == nil {
		return
	}
	_ = e.command.Process.Signal(syscall.SIGTERM)
	_ = e.command.Wait()
	_ = syscall.Kill(-e.command.Process.Pid, syscall.SIGTERM)
	e.command = nil
}

func (e *exim) until(what string, done func() bool, out fmt.Stringer) {
	e.t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			e.t.Fatalf("not within a minute: %s; %s\n%s", what, out, e.log())
		}
	}
}

func (e *exim) log() string {
	data, _ := os.ReadFile(e.dir + "/log/main")
	return string(data)
}

// mails waits for as many, and returns them as Exim wrote them.
func (e *exim) mails(n int) [][]byte {
	e.t.Helper()
	var all [][]byte
	e.until(fmt.Sprintf("%d mails", n), func() bool {
		all = nil
		files, _ := filepath.Glob(e.dir + "/mail/new/*")
		for _, f := range files {
			if data, err := os.ReadFile(f); err == nil {
				all = append(all, data)
			}
		}
		return len(all) >= n
	}, &bytes.Buffer{})
	if len(all) != n {
		e.t.Errorf("%d mails, want %d", len(all), n)
	}
	return all
}

func (e *exim) config(encryption string) Config {
	c := Kind.Default()
	c.Encryption, c.Address, c.TLS.CAFile = encryption, e.plain, e.ca
	if encryption == fromTLS {
		c.Address = e.tls
	}
	c.Username, c.Password, c.Hello = login, password, "sensor.soc.example"
	c.From, c.To = "filelessd <filelessd@soc.example>", []string{"oncall@soc.example"}
	if err := c.Validate(); err != nil {
		e.t.Fatal(err)
	}
	return c
}

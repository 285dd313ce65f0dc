package smtp

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

const (
	login    = "filelessd"
	password = "pa55-word-of-the-sink"
)

// mailServer speaks SMTP (RFC 5321) with STARTTLS, AUTH PLAIN and LOGIN, and holds the client to the order
// of commands. What it refuses it explains with what it knows of the client.
type mailServer struct {
	*sinktest.Server
	t      testing.TB
	tls    *tls.Config // of STARTTLS; nil offers none
	logins string      // what AUTH offers; empty for none

	mu          sync.Mutex
	script      map[string]string // answers to commands, by their beginning, instead of yes
	most        int               // mails of a connection; 0 for any number
	connections int
	recipients  [][]string // of each mail that was taken
	commands    []string
}

func newMailServer(t testing.TB, encryption string) (*mailServer, Config) {
	m := &mailServer{t: t, logins: "PLAIN LOGIN", script: map[string]string{}}
	c := Kind.Default()
	c.Encryption = encryption
	c.From, c.To = "filelessd <filelessd@soc.example>", []string{"oncall@soc.example", "Team <team@soc.example>"}
	c.Username, c.Password = login, password
	var config, outer *tls.Config
	if encryption != plain {
		config, c.TLS.CAFile = certificate(t)
	}
	if encryption == fromTLS {
		outer = config
	} else {
		m.tls = config
	}
	m.Server = sinktest.NewServer(t, "tcp", outer, m.serve)
	c.Address = m.Address
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return m, c
}

func certificate(t testing.TB) (config *tls.Config, ca string) {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	s.Close()
	ca = filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: s.TLS.Certificates}, ca
}

// answers sets what the server says to commands that begin so; an empty answer cuts the connection.
func (m *mailServer) answers(pairs ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.script = map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m.script[pairs[i]] = pairs[i+1]
	}
}

func (m *mailServer) scripted(command string) (string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.commands = append(m.commands, command)
	for begin, answer := range m.script {
		if strings.HasPrefix(command, begin) {
			return answer, true
		}
	}
	return "", false
}

// dialogue is the state of one connection.
type dialogue struct {
	*mailServer
	conn   net.Conn
	reader *textproto.Reader
	secure bool
	login  bool
	from   string
	to     []string
	mails  int
}

func (m *mailServer) serve(conn net.Conn, _ *sinktest.Server) {
	m.mu.Lock()
	m.connections++
	m.mu.Unlock()
	_, secure := conn.(*tls.Conn)
	d := &dialogue{mailServer: m, conn: conn, reader: textproto.NewReader(bufio.NewReader(conn)), secure: secure}
	greeting, ok := m.scripted("greeting")
	if !ok {
		greeting = "220 mail.test ESMTP"
	}
	d.say(greeting)
	for {
		line, err := d.reader.ReadLine()
		if err != nil {
			return
		}
		answer, ok := m.scripted(line)
		if !ok {
			answer = d.answer(line)
		}
		if answer == "" {
			return
		}
		d.say(answer)
		if strings.HasPrefix(answer, "221") || strings.HasPrefix(answer, "421") {
			return
		}
		if strings.HasPrefix(answer, "220") && line == "STARTTLS" {
			d.conn = tls.Server(conn, m.tls)
			d.reader, d.secure = textproto.NewReader(bufio.NewReader(d.conn)), true
		}
	}
}

func (d *dialogue) say(text string) { _, _ = io.WriteString(d.conn, text+"\r\n") }

func (d *dialogue) answer(line string) string {
	verb, _, _ := strings.Cut(line, " ")
	upper := strings.ToUpper(line)
	switch {
	case verb == "EHLO":
		return "250-mail.test\r\n" + strings.Join(d.offers(), "")
	case verb == "STARTTLS" && d.tls != nil && !d.secure:
		return "220 go ahead"
	case verb == "AUTH":
		return d.auth(line)
	case strings.HasPrefix(upper, "MAIL FROM:<") && d.from == "":
		if d.logins != "" && !d.login {
			return "530 5.7.0 login first"
		}
		if d.most > 0 && d.mails == d.most {
			return "421 4.7.0 too many mails"
		}
		d.from = line
		return "250 ok"
	case strings.HasPrefix(upper, "RCPT TO:<") && d.from != "":
		d.to = append(d.to, strings.TrimSuffix(line[len("RCPT TO:<"):], ">"))
		return "250 ok"
	case verb == "DATA" && len(d.to) > 0:
		return d.data()
	case verb == "*": // a login is given up
		return "501 5.7.0 cancelled"
	case verb == "RSET":
		d.from, d.to = "", nil
		return "250 ok"
	case verb == "QUIT":
		return "221 bye"
	}
	d.t.Errorf("the command %q in this place", line)
	return "503 5.5.1 bad sequence of commands"
}

func (d *dialogue) offers() []string {
	offers := []string{"250-PIPELINING\r\n", "250-SIZE 10240000\r\n"}
	if d.tls != nil && !d.secure {
		return append(offers, "250-8BITMIME\r\n", "250 STARTTLS")
	}
	if d.logins != "" {
		offers = append(offers, "250-AUTH "+d.logins+"\r\n")
	}
	return append(offers, "250 8BITMIME")
}

func (d *dialogue) auth(line string) string {
	if d.tls != nil && !d.secure {
		d.t.Error("a login before STARTTLS")
	}
	fields := strings.Fields(line)
	plainLogin := base64.StdEncoding.EncodeToString([]byte("\x00" + login + "\x00" + password))
	got := fields[len(fields)-1]
	if fields[1] == "LOGIN" {
		d.say("334 VXNlcm5hbWU6")
		name, _ := d.reader.ReadLine()
		d.say("334 UGFzc3dvcmQ6")
		secret, _ := d.reader.ReadLine()
		n, _ := base64.StdEncoding.DecodeString(name)
		s, _ := base64.StdEncoding.DecodeString(secret)
		got = base64.StdEncoding.EncodeToString([]byte("\x00" + string(n) + "\x00" + string(s)))
	}
	if got != plainLogin {
		return "535 5.7.8 not with " + got
	}
	d.login = true
	return "235 2.7.0 welcome"
}

func (d *dialogue) data() string {
	d.say("354 go on")
	message, err := io.ReadAll(d.reader.DotReader())
	if err != nil {
		return ""
	}
	to := d.to
	d.from, d.to = "", nil
	d.mails++
	if answer, ok := d.scripted("text"); ok {
		return answer
	}
	knows := fmt.Sprintf("%s %s %s", login, password, base64.StdEncoding.EncodeToString([]byte("\x00"+login+"\x00"+password)))
	switch d.Take(message) {
	case sinktest.Accepts:
		d.mu.Lock()
		defer d.mu.Unlock()
		d.recipients = append(d.recipients, to)
		return "250 2.0.0 queued"
	case sinktest.Rejects:
		return "554 5.7.1 your mail is not wanted, " + knows
	case sinktest.Throttles:
		return "452 4.3.1 later, " + knows
	default:
		return "451-4.3.0 local error\r\n451 4.3.0 of " + knows
	}
}

func openMailer(t testing.TB, c Config) *mailer {
	t.Helper()
	s, err := Kind.Open(context.Background(), c, sinktest.Env())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.(*mailer)
}

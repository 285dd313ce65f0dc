package smtp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"os"
	"regexp"
	"strings"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Config is the configuration of a sink of type smtp.
type Config struct {
	// Address is the host and port of the mail server, such as mail.example.com:587.
	Address string `yaml:"address"`
	// Encryption is starttls, which begins plain and refuses to go on so; tls, for servers that begin
	// with it, usually on port 465; or none.
	Encryption string `yaml:"encryption"`
	// TLS is about certificates.
	TLS sink.TLS `yaml:"tls"`
	// Username and Password log in; empty for a server that asks for no login.
	Username string      `yaml:"username"`
	Password sink.Secret `yaml:"password"`
	// Hello is how filelessd names itself to the server; empty is the name of its host.
	Hello string `yaml:"hello"`
	// From is the sender, such as filelessd <filelessd@example.com>. Its domain is also that of the
	// Message-ID, so that changing it makes repeats and threads unknown.
	From string `yaml:"from"`
	// To are the recipients, of which each sees the others.
	To []string `yaml:"to"`
	// SubjectPrefix begins each subject.
	SubjectPrefix string `yaml:"subject_prefix"`
	// Report has the whole report follow its short form in the mail.
	Report bool `yaml:"report"`
	// Attach lists the formats that come as attachments: json, html, markdown, text, ecs, ocsf, cef.
	Attach []string `yaml:"attach"`
	// Link is the address of a report where people read it, with {id} for its id; empty is without one.
	Link string `yaml:"link"`
}

const (
	startTLS = "starttls"
	fromTLS  = "tls"
	plain    = "none"
)

// maxRecipients is what every server takes in one transaction.
const maxRecipients = 100

// Validate says what is wrong with c.
func (c Config) Validate() error {
	errs := []error{
		sink.CheckAddress("address", c.Address), c.checkEncryption(), c.TLS.Validate(), c.checkLogin(),
		c.checkPeople(), sink.CheckLink("link", c.Link),
	}
	if c.Hello != "" && !helloName.MatchString(c.Hello) {
		errs = append(errs, errors.New("hello: want the name of a host"))
	}
	if p := c.SubjectPrefix; p != report.Visible(p) || len(p) > 60 || strings.Contains(p, "=?") {
		errs = append(errs, errors.New("subject_prefix: want at most 60 characters of plain text"))
	}
	seen := map[string]bool{}
	for i, format := range c.Attach {
		key := fmt.Sprintf("attach[%d]", i)
		if seen[format] {
			errs = append(errs, fmt.Errorf("%s: %s is there twice", key, format))
		}
		seen[format] = true
		errs = append(errs, sink.CheckFormat(key, format))
	}
	return errors.Join(errs...)
}

var helloName = regexp.MustCompile(`^(\[[0-9A-Za-z.:]+\]|[0-9A-Za-z]([0-9A-Za-z.-]*[0-9A-Za-z])?)$`)

func (c Config) checkEncryption() error {
	switch c.Encryption {
	case startTLS, fromTLS:
		return nil
	case plain:
		if c.TLS != (sink.TLS{}) {
			return errors.New("tls: means nothing with encryption: none")
		}
		return nil
	default:
		return fmt.Errorf("encryption: want %s, %s or %s, got %q", startTLS, fromTLS, plain, c.Encryption)
	}
}

func (c Config) checkLogin() error {
	switch {
	case (c.Username == "") != (c.Password == ""):
		return errors.New("password: username and password go together")
	case strings.ContainsAny(c.Username+string(c.Password), "\x00\r\n"):
		return errors.New("password: username and password are of one line")
	case c.Password != "" && c.Encryption == plain && !c.loopback():
		return errors.New("password: is not sent without encryption, but to this host itself (127.0.0.1, ::1, localhost)")
	}
	return nil
}

// loopback reports whether the server is on this host, for the names that the client library knows.
func (c Config) loopback() bool {
	switch c.host() {
	case "localhost", "127.0.0.1", "::1":
		return true
	}
	return false
}

func (c Config) host() string {
	host, _, _ := net.SplitHostPort(c.Address)
	return host
}

func (c Config) checkPeople() error {
	var errs []error
	if _, err := address(c.From); err != nil {
		errs = append(errs, fmt.Errorf("from: %w", err))
	}
	switch {
	case len(c.To) == 0:
		errs = append(errs, errors.New("to: missing"))
	case len(c.To) > maxRecipients:
		errs = append(errs, fmt.Errorf("to: at most %d; use a list's address for more", maxRecipients))
	}
	seen := map[string]bool{}
	for i, text := range c.To {
		a, err := address(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("to[%d]: %w", i, err))
			continue
		}
		if seen[a.Address] {
			errs = append(errs, fmt.Errorf("to[%d]: %s is there twice", i, a.Address))
		}
		seen[a.Address] = true
	}
	return errors.Join(errs...)
}

// address reads one address. Those outside of ASCII need servers with SMTPUTF8 all the way.
func address(text string) (*mail.Address, error) {
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("missing")
	}
	a, err := mail.ParseAddress(text)
	if err != nil {
		return nil, errors.New("want one address, such as soc@example.com or SOC <soc@example.com>")
	}
	for _, r := range a.Address {
		if r <= ' ' || r > '~' || r == '<' || r == '>' {
			return nil, errors.New("want an address in ASCII, without blanks")
		}
	}
	if report.Visible(a.Name) != a.Name {
		return nil, errors.New("the name has characters that do not show")
	}
	return a, nil
}

// tlsConfig is nil for encryption: none.
func (c Config) tlsConfig() (*tls.Config, error) {
	if c.Encryption == plain {
		return nil, nil
	}
	config, err := c.TLS.Config()
	if err != nil {
		return nil, err
	}
	if config.ServerName == "" {
		config.ServerName = c.host()
	}
	return config, nil
}

// helloName is Hello, or the host's name where a server would take it as one.
func (c Config) helloName() string {
	if c.Hello != "" {
		return c.Hello
	}
	if name, err := os.Hostname(); err == nil && helloName.MatchString(name) {
		return name
	}
	return "localhost"
}

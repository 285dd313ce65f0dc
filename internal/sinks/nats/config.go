package nats

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/nats-io/nkeys"

	"github.com/filelessd/filelessd/pkg/sink"
)

// Config is the configuration of a sink of type nats.
type Config struct {
	// URL is nats://host:4222, or tls:// to insist on TLS; several of a cluster with commas between
	// them. It is treated as a secret as a whole; messages name hosts only.
	URL sink.Secret `yaml:"url"`
	// Subject is where reports are published. In {} stand kind, severity, verdict, confidence,
	// technique, host, or the name of a field of the alert, such as {k8s.ns.name}. What they give is
	// one token, or a part of one: of it all but letters, digits, - and _ is written as %2E.
	Subject string `yaml:"subject"`
	// Stream is the stream that has to take a report; empty for any.
	Stream string `yaml:"stream"`
	// Credentials is the content of a .creds file: ${file:/etc/filelessd/nats.creds}.
	Credentials sink.Secret `yaml:"credentials"`
	// NKeySeed is the seed of an nkey, which begins with SU.
	NKeySeed sink.Secret `yaml:"nkey_seed"`
	// Token is for servers that ask for one.
	Token sink.Secret `yaml:"token"`
	// Username and Password are for servers that ask for those.
	Username string      `yaml:"username"`
	Password sink.Secret `yaml:"password"`
	// Output says how a report is written.
	sink.Output `yaml:",inline"`
	// TLS is about certificates. Any key of it insists on TLS, like tls:// does.
	TLS sink.TLS `yaml:"tls"`
}

func defaults() Config {
	return Config{Subject: "filelessd.{kind}.{severity}", Output: sink.Output{Format: "json"}}
}

// Validate says what is wrong with c.
func (c Config) Validate() error {
	_, err := c.servers()
	_, subjectErr := parseSubject(c.Subject)
	errs := []error{err, subjectErr, c.checkCredentials()}
	if strings.ContainsAny(c.Stream, " .*>/\\\t\r\n") {
		errs = append(errs, errors.New("stream: want the name of a stream, without blanks and . * > / \\"))
	}
	return errors.Join(append(errs, c.Output.Validate(), c.TLS.Validate())...)
}

// servers returns the URLs. Its errors never show them.
func (c Config) servers() ([]*url.URL, error) {
	if c.URL == "" {
		return nil, errors.New("url: missing")
	}
	var all []*url.URL
	for part := range strings.SplitSeq(string(c.URL), ",") {
		u, err := url.Parse(strings.TrimSpace(part))
		if err != nil {
			return nil, errors.New("url: not a URL")
		}
		if u.Scheme != "nats" && u.Scheme != "tls" {
			return nil, errors.New("url: want URLs that begin with nats:// or tls://")
		}
		if u.Hostname() != "" && u.Port() == "" {
			u.Host += ":4222"
		}
		if err := sink.CheckAddress("url", u.Host); err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	return all, nil
}

func (c Config) checkCredentials() error {
	var errs []error
	var ways []string
	for name, set := range map[string]bool{
		"credentials": c.Credentials != "", "nkey_seed": c.NKeySeed != "", "token": c.Token != "", "username": c.Username != "",
	} {
		if set {
			ways = append(ways, name)
		}
	}
	if len(ways) > 1 {
		errs = append(errs, errors.New("credentials, nkey_seed, token and username: want one of them"))
	}
	if (c.Username == "") != (c.Password == "") {
		errs = append(errs, errors.New("username and password go together"))
	}
	if c.Credentials != "" {
		if _, err := nkeys.ParseDecoratedJWT([]byte(c.Credentials)); err != nil || !strings.Contains(string(c.Credentials), "USER NKEY SEED") {
			errs = append(errs, errors.New("credentials: want the content of a .creds file, as by ${file:/path}"))
		}
	}
	if c.NKeySeed != "" {
		if _, _, err := c.nkey(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// nkey returns the public key of the seed, and what signs with it.
func (c Config) nkey() (public string, sign func([]byte) ([]byte, error), err error) {
	pair, err := nkeys.FromSeed([]byte(strings.TrimSpace(string(c.NKeySeed))))
	if err == nil {
		public, err = pair.PublicKey()
	}
	if err != nil || !strings.HasPrefix(public, "U") {
		return "", nil, errors.New("nkey_seed: want the seed of a user's nkey, which begins with SU")
	}
	return public, pair.Sign, nil
}

// secrets are what no message may show.
func (c Config) secrets() []sink.Secret {
	all := []sink.Secret{c.URL, c.Credentials, c.NKeySeed, c.Token, c.Password}
	servers, _ := c.servers()
	for _, u := range servers {
		password, ok := u.User.Password()
		if !ok { // a user alone is a token
			password = u.User.Username()
		}
		all = append(all, sink.Secret(password))
	}
	return all
}

// hosts names the servers.
func (c Config) hosts() string {
	servers, _ := c.servers()
	var names []string
	for _, u := range servers {
		names = append(names, u.Host)
	}
	return fmt.Sprintf("nats %s", strings.Join(names, ","))
}

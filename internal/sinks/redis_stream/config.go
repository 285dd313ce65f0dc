package redisstream

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/filelessd/filelessd/pkg/sink"
)

// Config is the configuration of a sink of type redis_stream.
type Config struct {
	// URL is redis://user:password@host:port/database, rediss:// for TLS, or
	// unix://user:password@/path/of/the/socket?db=database. All but the host has a default: no
	// authentication, 6379, 0. A password alone is that of the user default. It is treated as a secret
	// as a whole; messages name its scheme and host only.
	URL sink.Secret `yaml:"url"`
	// Stream is the key of the stream.
	Stream string `yaml:"stream"`
	// MaxLen is about how many entries the stream keeps: with each new one Redis drops what is older,
	// in its own portions. 0 keeps all.
	MaxLen int64 `yaml:"max_len"`
	// Remember is how long Redis remembers that it has a report, so that a repeat adds no second
	// entry. It takes a key a report, and a user who may run EVAL. 0 adds an entry for each repeat.
	Remember time.Duration `yaml:"remember"`
	// Output says how the field report of an entry is written.
	sink.Output `yaml:",inline"`
	// TLS is about certificates, for rediss.
	TLS sink.TLS `yaml:"tls"`
}

func defaults() Config {
	return Config{Stream: "filelessd:reports", MaxLen: 100_000, Remember: 72 * time.Hour, Output: sink.Output{Format: "json"}}
}

// Validate says what is wrong with c.
func (c Config) Validate() error {
	target, err := c.target()
	errs := []error{err}
	if strings.TrimSpace(c.Stream) == "" || strings.ContainsAny(c.Stream, "{}\r\n") {
		errs = append(errs, errors.New("stream: want the name of a key, without { and }"))
	}
	if c.MaxLen < 0 {
		errs = append(errs, errors.New("max_len: want 0 or more"))
	}
	if c.Remember != 0 && c.Remember < time.Second {
		errs = append(errs, errors.New("remember: want 0, or a second or more"))
	}
	if err == nil && !target.secure && c.TLS != (sink.TLS{}) {
		errs = append(errs, errors.New("tls: goes with a url that begins with rediss://"))
	}
	return errors.Join(append(errs, c.Output.Validate(), c.TLS.Validate())...)
}

// target is what a URL says.
type target struct {
	network, address   string
	secure             bool
	username, password string
	database           string // empty for the first
}

// target reads the URL. Its errors never show it.
func (c Config) target() (target, error) {
	if c.URL == "" {
		return target{}, errors.New("url: missing")
	}
	u, err := url.Parse(string(c.URL))
	if err != nil {
		return target{}, errors.New("url: not a URL")
	}
	t := target{network: "tcp", address: u.Host, secure: u.Scheme == "rediss", username: u.User.Username()}
	t.password, _ = u.User.Password()
	t.database = strings.Trim(u.Path, "/")
	switch u.Scheme {
	case "redis", "rediss":
		if u.Hostname() != "" && u.Port() == "" {
			t.address = net.JoinHostPort(u.Hostname(), "6379")
		}
		if err := sink.CheckAddress("url", t.address); err != nil {
			return target{}, err
		}
	case "unix":
		t.network, t.address, t.database = "unix", u.Path, u.Query().Get("db")
		if u.Host != "" || !filepath.IsAbs(t.address) {
			return target{}, errors.New("url: want unix:// and the whole path of a socket")
		}
	default:
		return target{}, errors.New("url: want a URL that begins with redis://, rediss:// or unix://")
	}
	if _, err := strconv.ParseUint(t.database, 10, 16); t.database != "" && err != nil {
		return target{}, errors.New("url: the database is no number")
	}
	if t.username != "" && t.password == "" {
		return target{}, fmt.Errorf("url: a user without a password; a password alone is written %s://:password@host", u.Scheme)
	}
	return t, nil
}

func (t target) String() string {
	if t.secure {
		return "rediss " + t.address
	}
	return "redis " + t.address
}

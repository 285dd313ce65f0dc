package kafka

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/filelessd/filelessd/pkg/sink"
)

// Config is the configuration of a sink of type kafka.
type Config struct {
	// Brokers are host:port of some brokers, by which the others are found.
	Brokers []string `yaml:"brokers"`
	// Topic is where reports go. It must be there.
	Topic string `yaml:"topic"`
	// Key says by what reports go to the partitions: group (reports that belong together stay in order),
	// host, id or none.
	Key string `yaml:"key"`
	// The report: as one line json, ecs, ocsf or cef; or markdown, text, html, template.
	sink.Output `yaml:",inline"`
	// MaxMessage is the largest message in bytes, which is max.message.bytes of the topic. Of a report
	// that is larger the short view is sent.
	MaxMessage int `yaml:"max_message"`
	// Link is an address of a report, with {id} in it, for where the short view leaves something out.
	Link string `yaml:"link"`
	// Compression is none, gzip, snappy, lz4 or zstd.
	Compression string `yaml:"compression"`
	// Encryption is tls or none.
	Encryption string `yaml:"encryption"`
	// SASL is about the user.
	SASL SASL `yaml:"sasl"`
	// TLS is about certificates.
	TLS sink.TLS `yaml:"tls"`
}

// SASL is the user that the brokers know.
type SASL struct {
	// Mechanism is plain, scram-sha-256 or scram-sha-512; empty for no user.
	Mechanism string `yaml:"mechanism"`
	// Username and Password are the user's.
	Username string      `yaml:"username"`
	Password sink.Secret `yaml:"password"`
}

var (
	keys         = []string{"group", "host", "id", "none"}
	compressions = []string{"none", "gzip", "snappy", "lz4", "zstd"}
	mechanisms   = []string{"plain", "scram-sha-256", "scram-sha-512"}
	topicName    = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)
)

// Validate says what is wrong with c.
func (c Config) Validate() error {
	var errs []error
	if len(c.Brokers) == 0 {
		errs = append(errs, errors.New("brokers: missing"))
	}
	for _, b := range c.Brokers {
		errs = append(errs, sink.CheckAddress("brokers", b))
	}
	if !topicName.MatchString(c.Topic) || c.Topic == "." || c.Topic == ".." {
		errs = append(errs, errors.New("topic: want 1 to 249 letters, digits, dots, _ and -"))
	}
	errs = append(errs, oneOf("key", c.Key, keys), c.Output.Validate())
	const least, most = 4 << 10, 1 << 30
	if c.MaxMessage < least || c.MaxMessage > most {
		errs = append(errs, fmt.Errorf("max_message: want %d to %d", least, most))
	}
	errs = append(errs, sink.CheckLink("link", c.Link), oneOf("compression", c.Compression, compressions),
		oneOf("encryption", c.Encryption, []string{"tls", "none"}), c.SASL.validate(c.Encryption), c.TLS.Validate())
	if c.Encryption == "none" && c.TLS != (sink.TLS{}) {
		errs = append(errs, errors.New("tls: goes with encryption: tls"))
	}
	return errors.Join(errs...)
}

func (s SASL) validate(encryption string) error {
	if s.Mechanism == "" {
		if s.Username != "" || s.Password != "" {
			return errors.New("sasl.mechanism: missing; a user needs one")
		}
		return nil
	}
	err := oneOf("sasl.mechanism", s.Mechanism, mechanisms)
	if s.Username == "" || s.Password == "" {
		err = errors.Join(err, errors.New("sasl.username: goes with sasl.password"))
	}
	if s.Mechanism == "plain" && encryption != "tls" {
		err = errors.Join(err, errors.New("sasl.mechanism: plain sends the password as it is; it needs encryption: tls"))
	}
	return err
}

func oneOf(key, value string, known []string) error {
	if slices.Contains(known, value) {
		return nil
	}
	return fmt.Errorf("%s: want one of %s, got %q", key, strings.Join(known, ", "), value)
}

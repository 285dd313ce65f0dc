package syslog

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/filelessd/filelessd/pkg/sink"
)

// Config is the configuration of a sink of type syslog.
type Config struct {
	// Network is how to reach the receiver: udp, tcp, tls, or unix for a socket on this machine, be it
	// one of datagrams or of a stream.
	Network string `yaml:"network"`
	// Address is host:port, or for unix the path of the socket.
	Address string `yaml:"address"`
	// Facility is one of syslog's: kern, user, mail, daemon, auth, syslog, lpr, news, uucp, cron,
	// authpriv, ftp, ntp, audit, alert, clock, local0 to local7.
	Facility string `yaml:"facility"`
	// AppName and Hostname are those of the message's header: who sends it, and from which machine.
	// Hostname is this machine's if empty. The host of the alert is in the structured data.
	AppName  string `yaml:"app_name"`
	Hostname string `yaml:"hostname"`
	// SDID names the structured data of a report: a name, @, and an enterprise number of IANA. 32473
	// is the number for examples. Empty for messages without structured data.
	SDID string `yaml:"sd_id"`
	// Output says how the message's text is written: json, cef, text (one line of key="value"), ecs,
	// ocsf, or template, whose newlines become blanks.
	sink.Output `yaml:",inline"`
	// MaxBytes is the size of a whole message, at least 1280. What does not fit is shortened,
	// and says so. 0 is 2048 for udp and 8192 for all others, which is what receivers take unless told
	// otherwise.
	MaxBytes int `yaml:"max_bytes"`
	// Link is where a shortened message says the whole report is; {id} stands for the report's ID.
	Link string `yaml:"link"`
	// Framing says how messages on a stream are told apart: octets counts them (RFC 6587, RFC 5425),
	// newline ends each with one.
	Framing string `yaml:"framing"`
	// Confirm ends each delivery over a stream by closing this side of the connection, and waits for
	// the receiver to close the other, so that what a receiver had not read when it stopped is sent
	// again. False does not wait, for receivers that never close.
	Confirm bool `yaml:"confirm"`
	// TLS is about certificates, for network: tls.
	TLS sink.TLS `yaml:"tls"`
}

func defaults() Config {
	return Config{
		Network: "udp", Facility: "local0", AppName: "filelessd", SDID: "filelessd@32473",
		Output: sink.Output{Format: "json"}, Framing: "octets", Confirm: true,
	}
}

const (
	leastMaxBytes  = 1280 // what the longest header leaves has room for a short text
	mostMaxBytes   = 16 << 20
	mostDatagram   = 65000
	datagramBytes  = 2048 // what RFC 5424 wants of every receiver, in 6.1
	streamBytes    = 8192 // rsyslog's maxMessageSize; syslog-ng's is more
	longestAppName = 48
	longestHost    = 128
	longestSDName  = 32
)

var facilities = []string{
	"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
	"ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
}

// sdID is what RFC 5424 asks of a name that is not registered, in 7.2.2.
var sdID = regexp.MustCompile(`^[!#-<>?A-\\^-~]+@[0-9]+(\.[0-9]+)*$`)

// Validate says what is wrong with c.
func (c Config) Validate() error {
	errs := []error{c.checkAddress(), c.checkHeader(), c.checkSize(), c.Output.Validate(), c.TLS.Validate()}
	if c.Format == "markdown" || c.Format == "html" {
		errs = append(errs, fmt.Errorf("format: %s has several lines, and a message of syslog is one", c.Format))
	}
	if c.Framing != "octets" && c.Framing != "newline" {
		errs = append(errs, fmt.Errorf("framing: want octets or newline, got %q", c.Framing))
	}
	if c.Network != "tls" && c.TLS != (sink.TLS{}) {
		errs = append(errs, errors.New("tls: goes with network: tls"))
	}
	return errors.Join(append(errs, sink.CheckLink("link", c.Link))...)
}

func (c Config) checkAddress() error {
	switch c.Network {
	case "udp", "tcp", "tls":
		return sink.CheckAddress("address", c.Address)
	case "unix":
		if !filepath.IsAbs(c.Address) {
			return errors.New("address: want the whole path of the socket, from /")
		}
		return nil
	default:
		return fmt.Errorf("network: want udp, tcp, tls or unix, got %q", c.Network)
	}
}

func (c Config) checkHeader() error {
	var errs []error
	if !slices.Contains(facilities, c.Facility) {
		errs = append(errs, fmt.Errorf("facility: unknown %q; known are %s", c.Facility, strings.Join(facilities, ", ")))
	}
	if c.AppName == "" || !headerText(c.AppName, longestAppName) {
		errs = append(errs, fmt.Errorf("app_name: want 1 to %d printable ASCII characters without blanks", longestAppName))
	}
	if !headerText(c.Hostname, longestHost) {
		errs = append(errs, fmt.Errorf("hostname: want up to %d printable ASCII characters without blanks", longestHost))
	}
	if c.SDID != "" && (len(c.SDID) > longestSDName || !sdID.MatchString(c.SDID)) {
		errs = append(errs, fmt.Errorf(`sd_id: want name@number in up to %d characters, without blanks, =, ] and "`, longestSDName))
	}
	return errors.Join(errs...)
}

func (c Config) checkSize() error {
	most := mostMaxBytes
	if c.Network == "udp" {
		most = mostDatagram
	}
	if c.MaxBytes != 0 && (c.MaxBytes < leastMaxBytes || c.MaxBytes > most) {
		return fmt.Errorf("max_bytes: want 0, or %d to %d for network: %s", leastMaxBytes, most, c.Network)
	}
	return nil
}

// limit is the size of a message.
func (c Config) limit() int {
	switch {
	case c.MaxBytes != 0:
		return c.MaxBytes
	case c.Network == "udp":
		return datagramBytes
	default:
		return streamBytes
	}
}

// headerText reports whether s can be a field of the header.
func headerText(s string, longest int) bool {
	return len(s) <= longest && !strings.ContainsFunc(s, func(r rune) bool { return r < '!' || r > '~' })
}

package alertmanager

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"github.com/filelessd/filelessd/pkg/sink"
)

// Config is the configuration of a sink of type alertmanager.
type Config struct {
	// URLs are the addresses of all Alertmanagers of a cluster, http or https, without /api/v2/alerts.
	// Each gets every alert, as Alertmanager wants it. They are treated as secrets as a whole.
	URLs []sink.Secret `yaml:"urls"`
	// Headers are sent with each request, such as Authorization or X-Scope-OrgID.
	Headers map[string]sink.Secret `yaml:"headers"`
	// TLS is about certificates.
	TLS sink.TLS `yaml:"tls"`
	// Labels are added to those of each alert, such as team or cluster, for routing.
	Labels map[string]string `yaml:"labels"`
	// ThreadLabel is the name of one more label, which keeps attacks apart that have all other labels
	// in common. Its values are many; empty is without it.
	ThreadLabel string `yaml:"thread_label"`
	// Lasts is how long an alert fires after the latest report of it.
	Lasts time.Duration `yaml:"lasts"`
	// Link is the address of a report where people read it, with {id} for its id. It becomes the
	// generatorURL; empty is without one.
	Link string `yaml:"link"`
}

// Validate says what is wrong with c.
func (c Config) Validate() error {
	var errs []error
	if len(c.URLs) == 0 {
		errs = append(errs, errors.New("urls: missing"))
	}
	for i, raw := range c.URLs {
		if u, err := sink.ParseURL(raw); err != nil {
			errs = append(errs, fmt.Errorf("urls[%d]: %w", i, err))
		} else if strings.HasSuffix(strings.TrimSuffix(u.Path, "/"), "/api/v2/alerts") {
			errs = append(errs, fmt.Errorf("urls[%d]: leave out /api/v2/alerts, which is added", i))
		}
	}
	if c.Lasts < time.Minute || c.Lasts > 30*24*time.Hour {
		errs = append(errs, errors.New("lasts: want 1m to 720h"))
	}
	return errors.Join(append(errs, c.checkHeaders(), c.TLS.Validate(), c.checkLabels(), sink.CheckLink("link", c.Link))...)
}

func (c Config) checkHeaders() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			errs = append(errs, fmt.Errorf("headers: %q can not be the name of a header", name))
		case !httpguts.ValidHeaderFieldValue(string(c.Headers[name])):
			errs = append(errs, fmt.Errorf("headers.%s: the value has control characters", name))
		case strings.HasPrefix(canonical, "Content-"), slices.Contains([]string{"Host", "Connection", "Transfer-Encoding", "Upgrade", "Expect", "Trailer", "Te"}, canonical):
			errs = append(errs, fmt.Errorf("headers.%s: is set by filelessd", name))
		}
	}
	return errors.Join(errs...)
}

// labelName is what every version of Alertmanager takes.
var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

func (c Config) checkLabels() error {
	var errs []error
	check := func(key, name string) {
		switch {
		case !labelName.MatchString(name):
			errs = append(errs, fmt.Errorf("%s: %q can not be the name of a label", key, name))
		case slices.Contains(ownLabels, name):
			errs = append(errs, fmt.Errorf("%s: %s is set by filelessd", key, name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Labels)) {
		check("labels", name)
		if v := c.Labels[name]; v == "" || !utf8.ValidString(v) {
			errs = append(errs, fmt.Errorf("labels.%s: want text", name))
		}
	}
	if c.ThreadLabel != "" {
		check("thread_label", c.ThreadLabel)
		if _, twice := c.Labels[c.ThreadLabel]; twice {
			errs = append(errs, fmt.Errorf("thread_label: %s is one of labels", c.ThreadLabel))
		}
	}
	return errors.Join(errs...)
}

// targets returns where alerts are posted and where the status is asked for, one of each for an
// Alertmanager.
func (c Config) targets() (alerts, status []*url.URL, err error) {
	for i, raw := range c.URLs {
		u, err := sink.ParseURL(raw)
		if err != nil {
			return nil, nil, fmt.Errorf("urls[%d]: %w", i, err)
		}
		if u.Path == "" {
			u.Path = "/" // or JoinPath makes a path that does not begin with one
		}
		alerts = append(alerts, u.JoinPath("api/v2/alerts"))
		status = append(status, u.JoinPath("api/v2/status"))
	}
	return alerts, status, nil
}

// header returns what is the same in each request.
func (c Config) header(version string) http.Header {
	agent := "filelessd"
	if version != "" {
		agent += "/" + version
	}
	header := http.Header{
		"User-Agent": {agent},
		// An empty value is not sent. It tells the transport that a repeat does no harm, so that a
		// connection which the receiver closed while it was idle costs a new one, not a delivery.
		"Idempotency-Key": {},
	}
	for name, value := range c.Headers {
		header.Set(name, string(value))
	}
	header.Set("Content-Type", "application/json")
	return header
}

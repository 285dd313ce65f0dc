package splunkhec

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Config is the configuration of a sink of type splunk_hec.
type Config struct {
	// URL is that of the HTTP Event Collector, such as https://splunk.example:8088. Without a path it is
	// /services/collector/event.
	URL sink.Secret `yaml:"url"`
	// Token is that of the collector's input, on which indexer acknowledgement is off.
	Token sink.Secret `yaml:"token"`
	// Index is where events go; empty for the token's own.
	Index string `yaml:"index"`
	// Source and SourceType are what events are filed under; the source type empty for filelessd: and the
	// format.
	Source     string `yaml:"source"`
	SourceType string `yaml:"sourcetype"`

	sink.Output `yaml:",inline"`
	// TLS is about certificates.
	TLS sink.TLS `yaml:"tls"`
}

// Validate says what is wrong with c.
func (c Config) Validate() error {
	var errs []error
	if _, err := c.endpoint(); err != nil {
		errs = append(errs, fmt.Errorf("url: %w", err))
	}
	switch {
	case c.Token == "":
		errs = append(errs, errors.New("token: missing"))
	case !httpguts.ValidHeaderFieldValue(string(c.Token)) || strings.ContainsAny(string(c.Token), " \t"):
		errs = append(errs, errors.New("token: has blanks or control characters"))
	}
	for key, value := range map[string]string{"index": c.Index, "source": c.Source, "sourcetype": c.SourceType} {
		if report.Visible(value) != value {
			errs = append(errs, fmt.Errorf("%s: has characters that do not show: %q", key, value))
		}
	}
	return errors.Join(append(errs, c.Output.Validate(), c.TLS.Validate())...)
}

const collector = "/services/collector"

// endpoint is the URL that events are posted to.
func (c Config) endpoint() (*url.URL, error) {
	u, err := sink.ParseURL(c.URL)
	if err != nil {
		return nil, err
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path, u.RawPath = collector+"/event", ""
	}
	if u.User != nil {
		return nil, errors.New("a user and password are not taken here: the token says who sends")
	}
	return u, nil
}

// health is the URL that tells whether the collector takes events.
func health(endpoint *url.URL) *url.URL {
	u := *endpoint
	before, _, _ := strings.Cut(u.Path, collector)
	u.Path, u.RawPath = before+collector+"/health", ""
	return &u
}

// sourceType is that of the events.
func (c Config) sourceType() string {
	if c.SourceType != "" {
		return c.SourceType
	}
	return "filelessd:" + c.Format
}

package pagerduty

import (
	"errors"
	"fmt"

	"github.com/filelessd/filelessd/pkg/sink"
)

// Config is the configuration of a sink of type pagerduty.
type Config struct {
	// RoutingKey is the integration key of an Events API v2 integration: 32 letters and digits.
	RoutingKey sink.Secret `yaml:"routing_key"`
	// URL is where events go; the default is for accounts in the US, that of the EU is
	// https://events.eu.pagerduty.com/v2/enqueue.
	URL string `yaml:"url"`
	// TLS is about certificates.
	TLS sink.TLS `yaml:"tls"`
	// Link is the address of a report where people read it, with {id} for its id; empty is without one.
	Link string `yaml:"link"`
}

const keyLength = 32

// Validate says what is wrong with c.
func (c Config) Validate() error {
	var errs []error
	if c.RoutingKey == "" {
		errs = append(errs, errors.New("routing_key: missing"))
	} else if !isKey(string(c.RoutingKey)) {
		errs = append(errs, fmt.Errorf("routing_key: want the %d letters and digits of an integration key (Events API v2)", keyLength))
	}
	if _, err := sink.ParseURL(sink.Secret(c.URL)); err != nil {
		errs = append(errs, fmt.Errorf("url: %w", err))
	}
	return errors.Join(append(errs, c.TLS.Validate(), sink.CheckLink("link", c.Link))...)
}

func isKey(text string) bool {
	for _, r := range text {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') {
			return false
		}
	}
	return len(text) == keyLength
}

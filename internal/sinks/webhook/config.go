package webhook

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/filelessd/filelessd/pkg/sink"
)

// Config is the configuration of a sink of type webhook.
type Config struct {
	// URL is where reports are posted: http or https. It is treated as a secret as a whole; messages
	// name its scheme and host only.
	URL sink.Secret `yaml:"url"`
	// Secret signs each request: whsec_ and base64, as receivers that know Standard Webhooks expect.
	// Empty for no signature.
	Secret sink.Secret `yaml:"secret"`
	// Headers are sent with each request, such as Authorization.
	Headers map[string]sink.Secret `yaml:"headers"`
	// TLS is about certificates.
	TLS sink.TLS `yaml:"tls"`
}

// Validate says what is wrong with c.
func (c Config) Validate() error {
	var errs []error
	if _, err := sink.ParseURL(c.URL); err != nil {
		errs = append(errs, fmt.Errorf("url: %w", err))
	}
	if _, err := c.key(); err != nil {
		errs = append(errs, fmt.Errorf("secret: %w", err))
	}
	return errors.Join(append(errs, c.checkHeaders(), c.TLS.Validate())...)
}

// key returns what the signature is made with.
func (c Config) key() ([]byte, error) {
	if c.Secret == "" {
		return nil, nil
	}
	text, ok := strings.CutPrefix(string(c.Secret), "whsec_")
	if !ok {
		return nil, errors.New("want whsec_ followed by base64")
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) == 0 {
		return nil, errors.New("want base64 after whsec_, with its padding")
	}
	return key, nil
}

func (c Config) checkHeaders() error {
	var errs []error
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		canonical := http.CanonicalHeaderKey(name)
		switch other, twice := seen[canonical]; {
		case !httpguts.ValidHeaderFieldName(name):
			errs = append(errs, fmt.Errorf("headers: %q can not be the name of a header", name))
		case !httpguts.ValidHeaderFieldValue(string(c.Headers[name])):
			errs = append(errs, fmt.Errorf("headers.%s: the value has control characters", name))
		case reserved(canonical):
			errs = append(errs, fmt.Errorf("headers.%s: is set by filelessd", name))
		case twice:
			errs = append(errs, fmt.Errorf("headers.%s: is the same header as %s", name, other))
		}
		seen[canonical] = name
	}
	return errors.Join(errs...)
}

// reserved reports whether a header says what the body is, or how the connection works.
func reserved(canonical string) bool {
	switch canonical {
	case "Host", "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect":
		return true
	}
	return strings.HasPrefix(canonical, "Webhook-") || strings.HasPrefix(canonical, "Content-")
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

package otlplogs

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/filelessd/filelessd/internal/sinks/internal/post"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Config is the configuration of a sink of type otlp_logs.
type Config struct {
	// URL is the address of an OpenTelemetry collector, or of what else takes OTLP over HTTP, without
	// /v1/logs.
	URL sink.Secret `yaml:"url"`
	// Headers are sent with each request, such as Authorization.
	Headers map[string]sink.Secret `yaml:"headers"`
	// Compression is none or gzip.
	Compression string `yaml:"compression"`
	// Resource has attributes of the resource, such as deployment.environment.name, beside service.name
	// and service.version.
	Resource map[string]string `yaml:"resource"`
	// Format of a record's body: brief for the short view, or one of those of the whole report: json,
	// ecs, ocsf, cef, text, markdown, html, or template for that of the next key.
	Format string `yaml:"format"`
	// Template is a text/template of Go, for format: template.
	Template string `yaml:"template"`
	// Link is an address of a report, with {id} in it, for where the short view leaves something out.
	Link string `yaml:"link"`
	// TLS is about certificates.
	TLS sink.TLS `yaml:"tls"`
}

const formatBrief = "brief"

// Validate says what is wrong with c.
func (c Config) Validate() error {
	var errs []error
	if c.Format != formatBrief {
		errs = append(errs, c.output().Validate())
	} else if c.Template != "" {
		errs = append(errs, errors.New("template: goes with format: template"))
	}
	if c.Compression != "none" && c.Compression != "gzip" {
		errs = append(errs, fmt.Errorf("compression: want none or gzip, got %q", c.Compression))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Resource)) {
		switch {
		case strings.TrimSpace(name) == "":
			errs = append(errs, errors.New("resource: an attribute without a name"))
		case strings.HasPrefix(name, "service.") && name != "service.namespace" && name != "service.instance.id":
			errs = append(errs, fmt.Errorf("resource.%s: is set by filelessd", name))
		}
	}
	return errors.Join(append(errs, post.CheckBase(c.URL), post.CheckHeaders(c.Headers), sink.CheckLink("link", c.Link), c.TLS.Validate())...)
}

func (c Config) output() sink.Output { return sink.Output{Format: c.Format, Template: c.Template} }

func (c Config) header() http.Header {
	h := http.Header{}
	for name, value := range c.Headers {
		h.Set(name, string(value))
	}
	if c.Compression == "gzip" {
		h.Set("Content-Encoding", "gzip")
	}
	return h
}

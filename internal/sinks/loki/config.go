package loki

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/filelessd/filelessd/internal/sinks/internal/post"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Config is the configuration of a sink of type loki.
type Config struct {
	// URL is the address of Loki, or of what stands before it, without /loki/api/v1/push.
	URL sink.Secret `yaml:"url"`
	// Tenant is the value of X-Scope-OrgID, where Loki has several tenants.
	Tenant string `yaml:"tenant"`
	// Labels are those of every report.
	Labels map[string]string `yaml:"labels"`
	// LabelFields are properties of a report that are labels too, of kind, severity, verdict, technique,
	// source and host. Each value is a stream of its own: host is for few hosts.
	LabelFields []string `yaml:"label_fields"`
	// Metadata sends the rest as structured metadata, which Loki has from version 3 on: turn it off for
	// older ones.
	Metadata bool `yaml:"metadata"`
	// Format of a line: logfmt for the short view, or one of those of the whole report: json, ecs, ocsf,
	// cef, text, markdown, html, or template for that of the next key.
	Format string `yaml:"format"`
	// Template is a text/template of Go, for format: template.
	Template string `yaml:"template"`
	// MaxLine is the longest line in bytes, which is limits_config.max_line_size of Loki. Of a report that
	// is longer the short view is sent.
	MaxLine int `yaml:"max_line"`
	// Link is an address of a report, with {id} in it, for where the short view leaves something out.
	Link string `yaml:"link"`
	// Username and Password are those of basic authentication.
	Username string      `yaml:"username"`
	Password sink.Secret `yaml:"password"`
	// Token is a bearer token.
	Token sink.Secret `yaml:"token"`
	// TLS is about certificates.
	TLS sink.TLS `yaml:"tls"`
}

const formatLogfmt = "logfmt"

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// Validate says what is wrong with c.
func (c Config) Validate() error {
	var errs []error
	if c.Format != formatLogfmt {
		errs = append(errs, c.output().Validate())
	} else if c.Template != "" {
		errs = append(errs, errors.New("template: goes with format: template"))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Labels)) {
		switch {
		case !labelName.MatchString(name) || strings.HasPrefix(name, "__"):
			errs = append(errs, fmt.Errorf("labels: %q can not be the name of a label", name))
		case slices.Contains(c.LabelFields, name):
			errs = append(errs, fmt.Errorf("labels.%s: is in label_fields", name))
		case c.Labels[name] == "":
			errs = append(errs, fmt.Errorf("labels.%s: is empty", name))
		}
	}
	for _, name := range c.LabelFields {
		if _, known := labelFields[name]; !known {
			errs = append(errs, fmt.Errorf("label_fields: unknown field %q; known are %s", name, strings.Join(slices.Sorted(maps.Keys(labelFields)), ", ")))
		}
	}
	if len(c.Labels)+len(c.LabelFields) == 0 {
		errs = append(errs, errors.New("labels: missing; a stream has one at least"))
	}
	const least = 1024
	if c.MaxLine < least {
		errs = append(errs, fmt.Errorf("max_line: want %d at least", least))
	}
	switch {
	case c.Token != "" && (c.Username != "" || c.Password != ""):
		errs = append(errs, errors.New("token: excludes username and password"))
	case (c.Username == "") != (c.Password == ""):
		errs = append(errs, errors.New("username: goes with password"))
	case strings.Contains(c.Username, ":"):
		errs = append(errs, errors.New("username: can have no colon"))
	}
	return errors.Join(append(errs, post.CheckBase(c.URL), post.CheckHeader("tenant", sink.Secret(c.Tenant)),
		post.CheckHeader("token", c.Token), sink.CheckLink("link", c.Link), c.TLS.Validate())...)
}

func (c Config) output() sink.Output { return sink.Output{Format: c.Format, Template: c.Template} }

func (c Config) header() http.Header {
	h := http.Header{}
	if c.Tenant != "" {
		h.Set("X-Scope-OrgID", c.Tenant)
	}
	switch {
	case c.Token != "":
		h.Set("Authorization", "Bearer "+string(c.Token))
	case c.Username != "":
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.Username+":"+string(c.Password))))
	}
	return h
}

// labelFields are what can be a label. An empty value is no label.
var labelFields = map[string]func(*report.Report) string{
	"kind":      func(r *report.Report) string { return string(r.Kind) },
	"severity":  func(r *report.Report) string { return string(r.Severity) },
	"verdict":   func(r *report.Report) string { return string(r.Verdict) },
	"technique": func(r *report.Report) string { return string(r.Technique) },
	"source": func(r *report.Report) string {
		if r.Event == nil {
			return ""
		}
		return r.Event.Source
	},
	"host": func(r *report.Report) string {
		if r.Event == nil {
			return ""
		}
		return r.Event.Hostname
	},
}

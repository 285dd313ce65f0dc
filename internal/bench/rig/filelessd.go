package rig

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// Filelessd is an installation of filelessd in a directory of its own.
type Filelessd struct {
	Dir    string
	config string
	hook   string
	http   string
}

// Sink is one webhook of a configuration.
type Sink struct {
	Name, URL string
	// Policy is more keys of the sink, as YAML in flow style: "concurrency: 16".
	Policy string
}

// NewFilelessd writes a configuration; more is what it has at the top besides, as YAML.
func NewFilelessd(ctx context.Context, dir, more string, sinks []Sink) (*Filelessd, error) {
	f := &Filelessd{Dir: dir, config: filepath.Join(dir, "config.yaml")}
	var err error
	if f.hook, err = FreePort(ctx); err != nil {
		return nil, err
	}
	if f.http, err = FreePort(ctx); err != nil {
		return nil, err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "data_dir: %q\nhttp: {listen: %q}\n%s\n", filepath.Join(dir, "data"), f.http, more)
	fmt.Fprintf(&text, "sources:\n  hook: {type: falco_http, listen: %q}\nsinks:\n", f.hook)
	for _, s := range sinks {
		policy := ""
		if s.Policy != "" {
			policy = ", " + s.Policy
		}
		fmt.Fprintf(&text, "  %s: {type: webhook, url: %q%s}\n", s.Name, s.URL, policy)
	}
	return f, os.WriteFile(f.config, []byte(text.String()), 0o600)
}

// Args are the arguments of the program that runs the daemon.
func (f *Filelessd) Args() []string { return []string{"run", "-c", f.config} }

// Config is the path of the configuration.
func (f *Filelessd) Config() string { return f.config }

// URL is where alerts are posted.
func (f *Filelessd) URL() string { return "http://" + f.hook + "/" }

// Metrics is the URL of the metrics.
func (f *Filelessd) Metrics() string { return "http://" + f.http + "/metrics" }

// Ready reports whether the daemon takes alerts.
func (f *Filelessd) Ready(ctx context.Context) bool {
	return Answers(ctx, "http://"+f.http+"/readyz")
}

// CloseIdle forgets connections to a daemon that is gone.
func CloseIdle() { http.DefaultClient.CloseIdleConnections() }

package rig

import (
	"context"
	"fmt"
	"io"
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
	return f, f.Write(more, sinks)
}

// Write writes the configuration anew, which the daemon may be reading at any moment.
func (f *Filelessd) Write(more string, sinks []Sink) error {
	var text strings.Builder
	fmt.Fprintf(&text, "data_dir: %q\nhttp: {listen: %q, reload: true}\n%s\n", filepath.Join(f.Dir, "data"), f.http, more)
	fmt.Fprintf(&text, "sources:\n  hook: {type: falco_http, listen: %q}\nsinks:\n", f.hook)
	for _, s := range sinks {
		policy := ""
		if s.Policy != "" {
			policy = ", " + s.Policy
		}
		fmt.Fprintf(&text, "  %s: {type: webhook, url: %q%s}\n", s.Name, s.URL, policy)
	}
	next := f.config + ".next"
	if err := os.WriteFile(next, []byte(text.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(next, f.config)
}

// Args are the arguments of the program that runs the daemon.
func (f *Filelessd) Args() []string { return []string{"run", "-c", f.config} }

// Config is the path of the configuration.
func (f *Filelessd) Config() string { return f.config }

// URL is where alerts are posted.
func (f *Filelessd) URL() string { return "http://" + f.hook + "/" }

// Metrics is the URL of the metrics.
func (f *Filelessd) Metrics() string { return "http://" + f.http + "/metrics" }

// Reload has the daemon read its configuration again, and reports whether that was taken over.
func (f *Filelessd) Reload(ctx context.Context) (taken bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+f.http+"/-/reload", http.NoBody)
	if err != nil {
		return false, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return false, err
	case resp.StatusCode == http.StatusOK:
		return true, nil
	case resp.StatusCode == http.StatusInternalServerError:
		return false, nil
	}
	return false, fmt.Errorf("reload: %s: %s", resp.Status, body)
}

// Ready reports whether the daemon takes alerts.
func (f *Filelessd) Ready(ctx context.Context) bool {
	return Answers(ctx, "http://"+f.http+"/readyz")
}

// CloseIdle forgets connections to a daemon that is gone.
func CloseIdle() { http.DefaultClient.CloseIdleConnections() }

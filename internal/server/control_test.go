package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/filelessd/filelessd/internal/listen"
)

// TestControl: what a command answers, and how it says no.
func TestControl(t *testing.T) {
	dir, err := os.MkdirTemp("", "c")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, ControlName)
	type question struct {
		Name string `json:"name"`
	}
	c, err := OpenControl(t.Context(), socket, "v9", map[string]Call{
		"greet": Answer(func(_ context.Context, q question) (string, error) {
			switch q.Name {
			case "":
				return "", Wrongf("no name")
			case "nobody":
				return "", errors.New("nobody is there")
			}
			return "hello " + q.Name, nil
		}),
	}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return listen.DialPrivate(ctx, socket)
	}}}
	for _, c := range []struct {
		method, path, body string
		code               int
		says               string
	}{
		{"POST", "greet", `{"name":"you"}`, 200, `"hello you"`},
		{"POST", "greet", `{}`, 400, "no name"},
		{"POST", "greet", `{"name":"you","twice":true}`, 400, "twice"},
		{"POST", "greet", `{"name":"nobody"}`, 500, "nobody is there"},
		{"POST", "greet", `{"name":"` + strings.Repeat("x", mostRequest) + `"}`, 400, "too large"},
		{"POST", "other", `{}`, 404, ""},
		{"GET", "greet", ``, 405, ""},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, "http://x"+ControlPath+c.path, bytes.NewReader([]byte(c.body)))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != c.code || !strings.Contains(string(body), c.says) || resp.Header.Get(VersionHeader) != "v9" {
			t.Errorf("%s %s %.40s: %d %s", c.method, c.path, c.body, resp.StatusCode, body)
		}
	}
	client.CloseIdleConnections()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(socket); !os.IsNotExist(err) {
		t.Errorf("after the end: %v", err)
	}
}

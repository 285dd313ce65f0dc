package app

import (
	"net/http"
	"testing"
)

// TestPprofIsServed: where the configuration says so, and until the end.
func TestPprofIsServed(t *testing.T) {
	f := newFixture(t, "  hook: {type: falco_http, listen: '127.0.0.1:0'}\npprof: {listen: '127.0.0.1:0'}")
	url := "http://" + f.app.pprof.Addr().String() + "/debug/pprof/heap"
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func() (*http.Response, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		return client.Do(req)
	}
	resp, err := get()
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%s: %s", url, resp.Status)
	}
	if err := f.stop(); err != nil {
		t.Fatal(err)
	}
	if resp, err := get(); err == nil {
		resp.Body.Close()
		t.Error("profiles are served after the stop")
	}
}

// TestPprofIsOff by default.
func TestPprofIsOff(t *testing.T) {
	if f := newFixture(t, "  hook: {type: falco_http, listen: '127.0.0.1:0'}"); f.app.pprof != nil {
		t.Error("profiles are served although nobody asked for them")
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

const secret = "whsec_dGVzdC10ZXN0LXRlc3QtdGVzdC10ZXN0"

func newTestViewer(t *testing.T) *viewer {
	t.Helper()
	v, err := newViewer(secret)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// post delivers body as the sink webhook does, with mend as a last word on the request.
func post(t *testing.T, v *viewer, id, body string, mend func(*http.Request)) int {
	t.Helper()
	now := time.Now()
	signature, err := v.webhook.Sign(id, now, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	r.Header.Set("Webhook-Signature", signature)
	if mend != nil {
		mend(r)
	}
	w := httptest.NewRecorder()
	v.handler().ServeHTTP(w, r)
	return w.Code
}

func get(t *testing.T, v *viewer, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	v.handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
	return w
}

func marshal(t *testing.T, r *report.Report) string {
	t.Helper()
	body, err := report.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestShowsReports(t *testing.T) {
	v := newTestViewer(t)
	if page := get(t, v, "/").Body.String(); !strings.Contains(page, "None yet") {
		t.Errorf("before the first:\n%s", page)
	}
	for _, r := range append(sinktest.Kinds(), sinktest.Ordinary()) {
		if code := post(t, v, r.ID, marshal(t, r), nil); code != http.StatusNoContent {
			t.Fatalf("%s: %d", r.Kind, code)
		}
	}
	page := get(t, v, "/")
	if page.Code != http.StatusOK || !strings.HasPrefix(page.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("%d %v", page.Code, page.Header())
	}
	for _, r := range sinktest.Kinds() {
		if !strings.Contains(page.Body.String(), r.ID) {
			t.Errorf("%s %s is not on the page", r.Kind, r.ID)
		}
	}
	one := get(t, v, "/reports/"+sinktest.Ordinary().ID)
	if one.Header().Get("Content-Type") != "application/json" || !strings.Contains(one.Body.String(), sinktest.Ordinary().Title) {
		t.Errorf("one report: %d %v\n%s", one.Code, one.Header(), one.Body)
	}
	if code := get(t, v, "/reports/none").Code; code != http.StatusNotFound {
		t.Errorf("one that is not there: %d", code)
	}
	if get(t, v, "/healthz").Code != http.StatusOK {
		t.Error("not healthy")
	}
}

func TestFoldsRepeats(t *testing.T) {
	v := newTestViewer(t)
	r := sinktest.Ordinary()
	for range 3 {
		post(t, v, r.ID, marshal(t, r), nil)
	}
	if len(v.kept) != 1 || v.kept[0].Times != 3 {
		t.Fatalf("%d entries", len(v.kept))
	}
	if page := get(t, v, "/").Body.String(); !strings.Contains(page, "3 times") {
		t.Errorf("the page does not count:\n%s", page)
	}
	for i := range mostKept + 10 {
		post(t, v, strconv.Itoa(i), marshal(t, r), nil)
	}
	if len(v.kept) != mostKept || v.kept[mostKept-1].Report.ID != strconv.Itoa(mostKept+9) {
		t.Errorf("%d entries, the last %s", len(v.kept), v.kept[len(v.kept)-1].Report.ID)
	}
}

func TestRefuses(t *testing.T) {
	good := marshal(t, sinktest.Ordinary())
	for name, tt := range map[string]struct {
		body string
		mend func(*http.Request)
		want int
	}{
		"no signature":      {good, func(r *http.Request) { r.Header.Del("Webhook-Signature") }, http.StatusUnauthorized},
		"another signature": {good, func(r *http.Request) { r.Header.Set("Webhook-Signature", "v1,AAAA") }, http.StatusUnauthorized},
		"another id":        {good, func(r *http.Request) { r.Header.Set("Webhook-Id", "b") }, http.StatusUnauthorized},
		"an old one":        {good, func(r *http.Request) { r.Header.Set("Webhook-Timestamp", "1") }, http.StatusUnauthorized},
		"no JSON":           {"{", nil, http.StatusBadRequest},
		"no report":         {`{"id":1}`, nil, http.StatusBadRequest},
		"too large":         {strings.Repeat("x", mostBody+1), nil, http.StatusRequestEntityTooLarge},
		"a get of a put":    {good, func(r *http.Request) { r.Method = http.MethodPut }, http.StatusMethodNotAllowed},
	} {
		v := newTestViewer(t)
		if got := post(t, v, "a", tt.body, tt.mend); got != tt.want || len(v.kept) != 0 {
			t.Errorf("%s: %d, want %d; %d kept", name, got, tt.want, len(v.kept))
		}
	}
}

// TestAttackersText: what a program chose is text on the page, and shows what it is.
func TestAttackersText(t *testing.T) {
	v := newTestViewer(t)
	r := sinktest.Hostile()
	r.Title += "<script>alert(1)</script>\u202e"
	r.Severity = `high" onload="alert(1)`
	post(t, v, r.ID, marshal(t, r), nil)
	page := get(t, v, "/")
	for _, bad := range []string{"<script", `onload="`, "\u202e", "<img"} {
		if strings.Contains(page.Body.String(), bad) {
			t.Errorf("the page has %q:\n%s", bad, page.Body.String())
		}
	}
	if !strings.Contains(page.Header().Get("Content-Security-Policy"), "default-src 'none'") {
		t.Error("no content security policy")
	}

	// The JSON stands there whole.
	var back, want bytes.Buffer
	if err := json.Compact(&back, get(t, v, "/reports/"+r.ID).Body.Bytes()); err != nil {
		t.Fatal(err)
	}
	if want.WriteString(marshal(t, r)); back.String() != want.String() {
		t.Error("the JSON is another than what came")
	}
}

func TestWantsASecret(t *testing.T) {
	for _, bad := range []string{"", "whsec_%"} {
		if _, err := newViewer(bad); err == nil {
			t.Errorf("%q is a secret", bad)
		}
	}
}

package main

import (
	"bytes"
	_ "embed" // the page
	"encoding/json"
	"errors"
	"html/template"
	"io"
	"log"
	"net/http"
	"slices"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

const (
	mostBody  = 4 << 20 // bytes of a report; usual are 30 to 40 KB
	mostKept  = 200     // reports
	jsonSpace = "  "
)

//go:embed page.html
var pageHTML string

// viewer holds what came.
type viewer struct {
	webhook *standardwebhooks.Webhook
	page    *template.Template
	now     func() time.Time

	mu   sync.Mutex
	kept []*entry // the newest last
}

// entry is one report, however often it came.
type entry struct {
	Brief  sink.Brief
	Report *report.Report
	JSON   []byte    // the body as it came, indented
	At     time.Time // when it came first
	Times  int       // how often it came
}

// newViewer takes the secret as the configuration of the sink has it: whsec_ and base64.
func newViewer(secret string) (*viewer, error) {
	if secret == "" {
		return nil, errors.New("no secret")
	}
	webhook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return nil, err
	}
	// What a reader could not see, or could be misled by, is shown as an escape; html/template does the rest.
	page, err := template.New("page").Funcs(template.FuncMap{"visible": report.Visible}).Parse(pageHTML)
	if err != nil {
		return nil, err
	}
	return &viewer{webhook: webhook, page: page, now: time.Now}, nil
}

func (v *viewer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{$}", v.receive)
	mux.HandleFunc("GET /{$}", v.show)
	mux.HandleFunc("GET /reports/{id}", v.showJSON)
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	return mux
}

// receive takes one delivery. filelessd tries again after 401 and 5xx, and gives a report up after 400.
func (v *viewer) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBody))
	if err != nil {
		http.Error(w, "the body can not be read, or is too large", http.StatusRequestEntityTooLarge)
		return
	}
	// The signature covers the id, the time of sending, and the body: nothing is believed before.
	if err := v.webhook.Verify(body, r.Header); err != nil {
		http.Error(w, "the signature does not fit", http.StatusUnauthorized)
		return
	}
	var got report.Report
	if err := json.Unmarshal(body, &got); err != nil {
		http.Error(w, "the body is no report", http.StatusBadRequest)
		return
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, body, "", jsonSpace); err != nil {
		http.Error(w, "the body is no JSON", http.StatusBadRequest)
		return
	}
	v.keep(r.Header.Get(standardwebhooks.HeaderWebhookID), &got, indented.Bytes())
	w.WriteHeader(http.StatusNoContent)
}

// keep adds a report, or counts it if it is there: a delivery can be repeated, and its id tells.
func (v *viewer) keep(id string, r *report.Report, indented []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if i := slices.IndexFunc(v.kept, func(e *entry) bool { return e.Report.ID == id }); i >= 0 {
		v.kept[i].Times++
		return
	}
	r.ID = id // which the signature covers
	v.kept = append(v.kept, &entry{
		Brief: sink.NewBrief(r), Report: r, JSON: report.EscapeInvisible(indented), At: v.now(), Times: 1,
	})
	if len(v.kept) > mostKept {
		v.kept = slices.Delete(v.kept, 0, len(v.kept)-mostKept)
	}
}

// show writes the page, the newest report first.
func (v *viewer) show(w http.ResponseWriter, _ *http.Request) {
	v.mu.Lock()
	entries := make([]entry, 0, len(v.kept))
	for _, e := range slices.Backward(v.kept) {
		entries = append(entries, *e)
	}
	v.mu.Unlock()
	var page bytes.Buffer
	if err := v.page.Execute(&page, entries); err != nil {
		log.Print(err)
		http.Error(w, "the page can not be made", http.StatusInternalServerError)
		return
	}
	v.write(w, "text/html; charset=utf-8", page.Bytes())
}

// showJSON writes one report as it came.
func (v *viewer) showJSON(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	i := slices.IndexFunc(v.kept, func(e *entry) bool { return e.Report.ID == r.PathValue("id") })
	if i < 0 {
		v.mu.Unlock()
		http.NotFound(w, r)
		return
	}
	body := v.kept[i].JSON // is never written to
	v.mu.Unlock()
	v.write(w, "application/json", body)
}

func (v *viewer) write(w http.ResponseWriter, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	// Were something to slip through the escaping, it would still neither run nor load anything.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(body)
}

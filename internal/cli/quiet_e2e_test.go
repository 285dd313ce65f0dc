package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/filelessd/filelessd/pkg/report"
)

// reader is a webhook's other end that keeps the reports.
type reader struct {
	*httptest.Server
	mu      sync.Mutex
	reports []report.Report
}

func newReader(t *testing.T) *reader {
	r := new(reader)
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		var got report.Report
		if err := json.NewDecoder(req.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if !slices.ContainsFunc(r.reports, func(before report.Report) bool { return before.ID == got.ID }) {
			r.reports = append(r.reports, got) // at least once is the promise, with the same ID
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *reader) all() []report.Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]report.Report(nil), r.reports...)
}

// TestFalcoGoesQuiet: Falco is killed and started again, at once and later, and filelessd is killed
// between.
func TestFalcoGoesQuiet(t *testing.T) {
	receiver := newReader(t)
	socket := filepath.Join(t.TempDir(), "falco.sock")
	lines, _ := alerts(t, 1)
	falco := func() *process { return start(t, "simulate", "--socket", socket, "--events", writeLines(t, lines)) }
	d := newDaemon(t, receiver.URL, "  falco: {type: falco_grpc, address: 'unix://"+socket+"', poll: 20ms, quiet: {unreachable: 2s}}")
	p := d.run()
	reports := func(n int) []report.Report {
		t.Helper()
		waitFor(t, "a report", func() bool { return len(receiver.all()) >= n })
		return receiver.all()
	}
	connected := func() {
		t.Helper()
		waitFor(t, "the connection", func() bool {
			_, body := d.get("/statusz")
			return strings.Contains(body, `"state": "connected"`)
		})
	}
	f := falco()
	connected()
	reports(1)
	f.signal(syscall.SIGKILL)
	f = falco()
	restarted := reports(2)[1]
	if restarted.Kind != report.KindQuiet || restarted.Severity != report.High || !strings.Contains(restarted.Title, "Falco was restarted") ||
		len(restarted.Explanations) != 3 || restarted.Event != nil {
		t.Errorf("%+v", restarted)
	}
	f.signal(syscall.SIGKILL)
	quiet := reports(3)[2]
	if quiet.Kind != report.KindQuiet || !strings.Contains(quiet.Title, "Falco does not answer since") || !strings.Contains(quiet.Summary, "nobody listens") {
		t.Errorf("%+v", quiet)
	}
	p.signal(syscall.SIGKILL)
	d.run()
	f = falco()
	connected()
	over := reports(4)
	if u := over[3]; len(over) != 4 || u.Kind != report.KindUpdate || len(u.About) != 1 || u.About[0] != quiet.ID ||
		!strings.Contains(u.Title, "Falco answers again") || u.Severity != report.High {
		t.Errorf("%d reports, the last one %+v", len(over), u)
	}
	f.signal(syscall.SIGTERM)
}

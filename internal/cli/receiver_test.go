package cli

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// receiver is a webhook's other end: it counts deliveries by webhook-id.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	ids  map[string]int
	down bool

	refusal string // what every report is refused with for good, if set
}

func newReceiver(t testing.TB) *receiver {
	r := &receiver{ids: map[string]int{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.down {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		if r.refusal != "" {
			http.Error(w, r.refusal, http.StatusBadRequest)
			return
		}
		r.ids[req.Header.Get("webhook-id")]++
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) refuse(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refusal = text
}

func (r *receiver) setDown(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

// got returns how many different reports came, and how many deliveries repeated one.
func (r *receiver) got() (distinct, repeated int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.ids {
		repeated += n - 1
	}
	return len(r.ids), repeated
}

func (r *receiver) missing(ids []string) (missing []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		if r.ids[id] == 0 {
			missing = append(missing, id)
		}
	}
	return missing
}

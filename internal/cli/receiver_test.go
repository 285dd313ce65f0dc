package cli

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// receiver is a webhook's other end: it counts deliveries by webhook-id.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	ids  map[string]int
	down bool

	secret  string // what reports have to be signed with to count, if set
	refusal string // what every report is refused with for good, if set
}

func newReceiver(t testing.TB) *receiver {
	return newReceiverOn(t, nil)
}

// newReceiverOn is newReceiver on a listener, if it is not nil.
func newReceiverOn(t testing.TB, l net.Listener) *receiver {
	r := &receiver{ids: map[string]int{}}
	r.Server = httptest.NewUnstartedServer(r)
	if l != nil {
		r.Listener.Close()
		r.Listener = l
	}
	r.Start()
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
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
	if id := req.Header.Get("webhook-id"); r.secret == "" || r.signed(id, req.Header, body) {
		r.ids[id]++
	}
}

// signed checks a signature by the Standard Webhooks convention.
func (r *receiver) signed(id string, header http.Header, body []byte) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(r.secret, "whsec_"))
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + header.Get("webhook-timestamp") + "."))
	mac.Write(body)
	return header.Get("webhook-signature") == "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil))
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

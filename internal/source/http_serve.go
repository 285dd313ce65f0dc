package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/filelessd/filelessd/internal/listen"
)

var (
	errText = errors.New("text/plain: Falco is configured to send text; " +
		"set json_output: true in falco.yaml")
	errToken    = errors.New("wrong or no token")
	errSlowBody = errors.New("the request did not arrive in time")
	errSlow     = errors.New("storing takes longer than a sender can wait; it goes on")
	errStore    = errors.New("the alerts could not be stored")
	errNotPost  = errors.New("alerts are sent by POST")
)

// An answer is what a sender is told.
type answer struct {
	status   int
	accepted int
	rejected []rejection
	err      error // why nothing was accepted, instead of a list
}

// A rejection is an element of a body that is no alert.
type rejection struct {
	Index int    `json:"index"` // in the array, or of the line, blank ones left out, from 0
	Error string `json:"error"`
}

// write sends the answer as JSON.
func (a answer) write(w http.ResponseWriter) {
	var body any
	switch a.status {
	case http.StatusOK, http.StatusBadRequest:
		switch {
		case a.err != nil:
			a.rejected = []rejection{{Error: a.err.Error()}}
		case a.rejected == nil:
			a.rejected = []rejection{} // [], not null
		}
		body = struct {
			Accepted int         `json:"accepted"`
			Rejected []rejection `json:"rejected"`
		}{a.accepted, a.rejected}
	default:
		body = map[string]string{"error": a.err.Error()}
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	switch a.status {
	case http.StatusUnauthorized:
		header.Set("Connection", "close") // the places for connections are for those who may send
		header["Www-Authenticate"] = []string{`Bearer realm="filelessd"`, `Basic realm="filelessd"`}
	case http.StatusMethodNotAllowed:
		header.Set("Allow", http.MethodPost)
	case http.StatusUnsupportedMediaType:
		header.Set("Accept-Encoding", "gzip")
	case http.StatusServiceUnavailable:
		header.Set("Retry-After", "1")
	}
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(body) // a sender that is gone misses it
}

// serve answers one request. work is the context of what goes on after the answer.
func (h *HTTP) serve(work context.Context, handle Handle, w http.ResponseWriter, r *http.Request) {
	deadline := time.Now().Add(answerWithin)
	// For refusals too: before net/http sends an answer it reads what is left of the body.
	_ = http.NewResponseController(w).SetReadDeadline(deadline)

	if refusal, reason := h.refuse(r); refusal.err != nil {
		if reason != "" {
			h.reject(reason, 1, refusal.err)
		}
		refusal.write(w)
		return
	}
	b, err := h.read(work, w, r, deadline)
	if err != nil {
		refusal, reason := refuseBody(err)
		h.reject(reason, 1, refusal.err)
		refusal.write(w)
		return
	}
	j := &job{http: h, body: b, peer: r.RemoteAddr}
	done := make(chan answer, 1)
	go func() { done <- j.run(work, handle) }()
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case a := <-done:
		a.write(w)
	case <-timer.C:
		j.notStored(errSlow)
		answer{status: http.StatusServiceUnavailable, err: errSlow}.write(w)
	}
}

// refuse says what is wrong with a request that its headers show, and the reason to count, if any.
func (h *HTTP) refuse(r *http.Request) (a answer, reason string) {
	encoding := r.Header.Get("Content-Encoding")
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch {
	case h.config.Token != "" && !listen.Authorized(r, string(h.config.Token)):
		return answer{status: http.StatusUnauthorized, err: errToken}, ReasonUnauthorized
	case r.Method != http.MethodPost:
		return answer{status: http.StatusMethodNotAllowed, err: errNotPost}, ""
	case strings.EqualFold(strings.TrimSpace(media), "text/plain"):
		return answer{status: http.StatusBadRequest, err: errText}, ReasonText
	case encoding != "" && !packed(encoding) && !strings.EqualFold(encoding, "identity"):
		err := fmt.Errorf("content encoding %.20q: want gzip or none", encoding)
		return answer{status: http.StatusUnsupportedMediaType, err: err}, ReasonMalformed
	case r.ContentLength > maxBody:
		return answer{status: http.StatusRequestEntityTooLarge, err: errTooLarge}, ReasonTooLarge
	}
	return answer{}, ""
}

func packed(encoding string) bool {
	return strings.EqualFold(encoding, "gzip") || strings.EqualFold(encoding, "x-gzip")
}

// refuseBody is the answer to a request whose body could not be read, and the reason to count.
func refuseBody(err error) (a answer, reason string) {
	switch {
	case errors.Is(err, errTooLarge):
		return answer{status: http.StatusRequestEntityTooLarge, err: err}, ReasonTooLarge
	case errors.Is(err, errBusy):
		return answer{status: http.StatusServiceUnavailable, err: err}, ReasonStore
	case errors.Is(err, os.ErrDeadlineExceeded):
		return answer{status: http.StatusServiceUnavailable, err: errSlowBody}, ReasonIncomplete
	default:
		return answer{status: http.StatusBadRequest, err: fmt.Errorf("body: %w", err)}, ReasonMalformed
	}
}

// A job is a body on its way to disk. It ends when that is done, which can be after the answer.
type job struct {
	http    *HTTP
	body    *body
	peer    string
	alerts  atomic.Int64 // in the body; 0 until it is decoded
	counted atomic.Bool  // as not stored
}

func (j *job) run(work context.Context, handle Handle) (a answer) {
	defer j.body.release()
	defer func() {
		if p := recover(); p != nil {
			j.http.env.Log.Error().Bytes("stack", debug.Stack()).Msg("a request made the program panic")
			j.notStored(fmt.Errorf("panic: %v", p))
			a = answer{status: http.StatusServiceUnavailable, err: errStore}
		}
	}()
	batch := decodeBody(j.body.data, j.http.env.Stamp)
	j.body.drop()
	j.alerts.Store(int64(len(batch.events)))
	if n := len(batch.rejected); n > 0 {
		j.http.reject(ReasonMalformed, n, errors.New(batch.rejected[0].Error))
	}
	if len(batch.events) > 0 {
		if err := handle(work, batch.events); err != nil {
			j.notStored(err)
			return answer{status: http.StatusServiceUnavailable, err: errStore}
		}
		j.http.took(batch.events[len(batch.events)-1].Received, j.peer)
	}
	if len(batch.rejected) > 0 {
		return answer{status: http.StatusBadRequest, accepted: len(batch.events), rejected: batch.rejected}
	}
	return answer{status: http.StatusOK, accepted: len(batch.events)}
}

// notStored counts the alerts of the job, once, as ones that a sender was told not to rely on. Why
// is for the operator: the sender need not know of our disks.
func (j *job) notStored(why error) {
	n := 0
	if j.counted.CompareAndSwap(false, true) {
		n = max(1, int(j.alerts.Load()))
	}
	j.http.reject(ReasonStore, n, why)
}

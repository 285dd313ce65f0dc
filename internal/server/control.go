package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/filelessd/filelessd/internal/listen"
)

// A Call answers one command: what comes is JSON, and so is what it returns. Its errors go to whoever
// asked; one made by Wrong says that the question was wrong.
type Call func(ctx context.Context, request json.RawMessage) (answer any, err error)

const (
	// ControlName is the name of the socket in the data directory.
	ControlName = "control.sock"
	// ControlPath is what a command's name is put behind to be its path on the socket.
	ControlPath = "/v1/"
	// VersionHeader is in every answer of the socket, so that a program of another version can say
	// why they do not understand each other.
	VersionHeader = "Filelessd-Version"
	// mostRequest bounds the bytes of a request.
	mostRequest = 1 << 20
)

// Refusal is the body of an answer that says no.
type Refusal struct {
	Error string `json:"error"`
}

type wrongError struct{ error }

func (e wrongError) Unwrap() error { return e.error }

// Wrong marks an error as a mistake in the question.
func Wrong(err error) error { return wrongError{err} }

// Wrongf is Wrong with a text.
func Wrongf(format string, args ...any) error { return Wrong(fmt.Errorf(format, args...)) }

// IsWrong reports whether err was marked by Wrong.
func IsWrong(err error) bool { return errors.As(err, &wrongError{}) }

// Answer makes a Call of a function with types. Keys of the request that it does not know are
// refused: a command that an older daemon understands in part could do more than was asked for.
func Answer[Request, Reply any](f func(ctx context.Context, request Request) (Reply, error)) Call {
	return func(ctx context.Context, raw json.RawMessage) (any, error) {
		var request Request
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&request); err != nil {
			return nil, Wrongf("the daemon does not understand the command: %w", err)
		}
		return f(ctx, request)
	}
}

// Control serves commands on a unix socket, which is for the user that the daemon runs as.
type Control struct {
	listener net.Listener
	http     *http.Server
}

// OpenControl listens on path. The caller holds the lock of the data directory, so a socket that is
// there is one that a killed daemon has left.
func OpenControl(ctx context.Context, path, version string, calls map[string]Call, logger zerolog.Logger) (*Control, error) {
	l, err := listen.Private(ctx, path)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for name, call := range calls {
		mux.Handle("POST "+ControlPath+name, answered(call))
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(VersionHeader, version)
		mux.ServeHTTP(w, r)
	})
	// No bound on the time of an answer: compacting the log takes what it takes. Who waits can leave.
	return &Control{l, &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: log.New(debugLog{logger}, "", 0),
	}}, nil
}

// Run serves until ctx ends.
func (c *Control) Run(ctx context.Context) error { return serve(ctx, c.http, c.listener) }

// Close frees the socket, of a Control that was never run too.
func (c *Control) Close() error { return errors.Join(c.http.Close(), c.listener.Close()) }

func answered(call Call) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostRequest))
		if err != nil {
			answer(w, http.StatusBadRequest, Refusal{err.Error()})
			return
		}
		said, err := call(r.Context(), body)
		switch {
		case err == nil:
			answer(w, http.StatusOK, said)
		case IsWrong(err):
			answer(w, http.StatusBadRequest, Refusal{err.Error()})
		default:
			answer(w, http.StatusInternalServerError, Refusal{err.Error()})
		}
	})
}

// Encode writes an answer: reports in it stay on one line, as they are written elsewhere.
func Encode(answer any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(answer)
	return b.Bytes(), err
}

func answer(w http.ResponseWriter, code int, said any) {
	body, err := Encode(said)
	if err != nil {
		code, body = http.StatusInternalServerError, []byte(`{"error":"the answer can not be written as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(body)
}

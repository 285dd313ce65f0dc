package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Receiver is a webhook's other end. It counts what it answered with 2xx, and behaves as badly as it
// is told.
type Receiver struct {
	*Tally
	address string

	mu     sync.Mutex
	fault  Fault
	hang   int // requests that are still to be left without an answer
	server *http.Server
	closed chan struct{}
	serves sync.WaitGroup
}

// OpenReceiver listens on address; port 0 finds one.
func OpenReceiver(ctx context.Context, address string, sent *Sent) (*Receiver, error) {
	r := &Receiver{Tally: NewTally(sent), address: address, closed: make(chan struct{})}
	if err := r.listen(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// URL is where it listens.
func (r *Receiver) URL() string { return "http://" + r.address + "/" }

func (r *Receiver) listen(ctx context.Context) error {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", r.address)
	if err != nil {
		return err
	}
	r.address = l.Addr().String() // the port stays the same when it comes again
	server := &http.Server{Handler: r, ReadHeaderTimeout: time.Minute}
	r.server = server
	r.serves.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			panic(fmt.Sprintf("a receiver of the bench failed: %v", err)) // no result would mean anything
		}
	})
	return nil
}

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// ServeHTTP takes one delivery.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	buf, _ := bodies.Get().(*bytes.Buffer)
	buf.Reset()
	defer bodies.Put(buf)
	if _, err := io.Copy(buf, req.Body); err != nil {
		return
	}
	r.mu.Lock()
	fault := r.fault
	hang := r.hang > 0
	if hang {
		r.hang--
	}
	r.mu.Unlock()
	switch {
	case hang:
		select {
		case <-req.Context().Done():
		case <-r.closed:
		}
		return
	case fault.Slow > 0:
		if !pause(req.Context(), fault.Slow) {
			return
		}
	case fault.Status/100 > 2:
		w.WriteHeader(fault.Status)
		return
	}
	r.take(req.Header.Get("webhook-id"), buf.Bytes())
}

// Set makes the receiver behave so from now on.
func (r *Receiver) Set(ctx context.Context, f Fault) error {
	r.mu.Lock()
	was := r.fault.Down
	r.fault, r.hang = f, f.Hang
	r.mu.Unlock()
	switch {
	case f.Down && !was:
		return r.server.Close()
	case !f.Down && was:
		return r.listen(ctx)
	}
	return nil
}

// Play goes through a script and stays with its last step.
func (r *Receiver) Play(ctx context.Context, script []Fault) error {
	for _, f := range script {
		if err := r.Set(ctx, f); err != nil {
			return err
		}
		if f.For > 0 && !pause(ctx, f.For) {
			return nil
		}
	}
	return nil
}

// Close stops it.
func (r *Receiver) Close() error {
	close(r.closed)
	err := r.server.Close()
	r.serves.Wait()
	return err
}

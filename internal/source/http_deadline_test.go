package source

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/filelessd/filelessd/pkg/event"
)

// A bubble is an HTTP source in virtual time: a listener in memory, and a handle that waits for
// the test if it is told to.
type bubble struct {
	*HTTP
	t        *testing.T
	conns    chan net.Conn
	closed   chan struct{}
	once     sync.Once
	stop     func() // ends Run's context
	ended    chan struct{}
	err      error // of Run, once ended
	rejected tally
	gate     chan error      // handle returns what comes from here, if not nil
	handling chan handleCall // each call of handle
}

type handleCall struct {
	ctx    context.Context
	events []event.Event
}

func newBubble(t *testing.T, c HTTPConfig, gate chan error) *bubble {
	b := &bubble{
		t: t, conns: make(chan net.Conn), closed: make(chan struct{}), ended: make(chan struct{}),
		gate: gate, handling: make(chan handleCall, 10_000),
	}
	env := testEnv(t)
	env.Rejected = b.rejected.add
	b.HTTP = newHTTP(b, c, env)
	ctx, cancel := context.WithCancel(t.Context())
	b.stop = cancel
	go func() {
		defer close(b.ended)
		b.err = b.Run(ctx, func(ctx context.Context, events []event.Event) error {
			b.handling <- handleCall{ctx, events}
			if b.gate == nil {
				return nil
			}
			select {
			case err := <-b.gate:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-b.ended
		if b.err != nil {
			t.Errorf("Run: %v", b.err)
		}
	})
	return b
}

func (b *bubble) Accept() (net.Conn, error) {
	select {
	case c := <-b.conns:
		return c, nil
	case <-b.closed:
		return nil, net.ErrClosed
	}
}

func (b *bubble) Close() error {
	b.once.Do(func() { close(b.closed) })
	return nil
}

func (b *bubble) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }

// dial connects to the source.
func (b *bubble) dial() net.Conn {
	client, server := net.Pipe()
	b.conns <- server
	b.t.Cleanup(func() { _ = client.Close() })
	return client
}

// postPart writes a request that has its length in its headers, and so much of the body.
func postPart(t *testing.T, c net.Conn, body string, sent int) {
	t.Helper()
	_, err := fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:sent])
	if err != nil {
		t.Fatal(err)
	}
}

// readStatus reads an answer: its status, 0 if there is none, and how long it took.
func readStatus(t *testing.T, c net.Conn, since time.Time) (int, time.Duration) {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	took := time.Since(since)
	if err != nil {
		return 0, took
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Error(err)
	}
	return res.StatusCode, took
}

func checkAnswer(t *testing.T, c net.Conn, since time.Time, want int, within time.Duration) {
	t.Helper()
	if status, took := readStatus(t, c, since); status != want || took > within {
		t.Errorf("%d after %s, want %d within %s", status, took, want, within)
	}
}

const smallAlert = `{"rule":"a"}`

func TestHTTPSlowBody(t *testing.T) {
	t.Run("accepted", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBubble(t, HTTPConfig{}, nil)
			c, start := b.dial(), time.Now()
			postPart(t, c, smallAlert, 5)
			checkAnswer(t, c, start, http.StatusServiceUnavailable, 2*time.Second)
			if b.rejected.of(ReasonIncomplete) != 1 {
				t.Errorf("rejected: %v", b.rejected.all())
			}
			if n, err := c.Read(make([]byte, 1)); err == nil {
				t.Errorf("%d bytes after the answer", n)
			}
		})
	})
	t.Run("refused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBubble(t, HTTPConfig{Token: "x"}, nil)
			c, start := b.dial(), time.Now()
			postPart(t, c, smallAlert, 5)
			checkAnswer(t, c, start, http.StatusUnauthorized, 2*time.Second)
		})
	})
	t.Run("too long", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBubble(t, HTTPConfig{}, nil)
			c, start := b.dial(), time.Now()
			postPart(t, c, strings.Repeat("x", maxBody+1), 0)
			checkAnswer(t, c, start, http.StatusRequestEntityTooLarge, 0)
		})
	})
	t.Run("byte by byte", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBubble(t, HTTPConfig{}, nil)
			c, start := b.dial(), time.Now()
			postPart(t, c, strings.Repeat("x", 1000), 1)
			var writer sync.WaitGroup
			writer.Go(func() {
				for {
					time.Sleep(100 * time.Millisecond)
					if _, err := c.Write([]byte("x")); err != nil {
						return
					}
				}
			})
			checkAnswer(t, c, start, http.StatusServiceUnavailable, 2*time.Second)
			_ = c.Close()
			writer.Wait()
		})
	})
}

func TestHTTPSlowHandle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan error)
		b := newBubble(t, HTTPConfig{}, gate)
		c, start := b.dial(), time.Now()
		postPart(t, c, smallAlert, len(smallAlert))
		checkAnswer(t, c, start, http.StatusServiceUnavailable, 2*time.Second)
		if s := b.Status(); s.LastError == "" || b.rejected.of(ReasonStore) != 1 {
			t.Errorf("status %+v, rejected %v", s, b.rejected.all())
		}
		call := <-b.handling
		time.Sleep(time.Minute)
		synctest.Wait()
		if err := call.ctx.Err(); err != nil {
			t.Errorf("storing was cut short: %v", err)
		}
		gate <- nil
		synctest.Wait()
		if s := b.Status(); s.LastError != "" || s.LastAlert.IsZero() {
			t.Errorf("status once it is stored: %+v", s)
		}

		// The connection is as good as new.
		start = time.Now()
		postPart(t, c, smallAlert, len(smallAlert))
		call = <-b.handling
		gate <- nil
		checkAnswer(t, c, start, http.StatusOK, 0)

		// So it is for waiting until there is room.
		if !b.small.TryAcquire(smallBodies) {
			t.Fatal("there is something under way")
		}
		time.AfterFunc(time.Second, func() { b.small.Release(smallBodies) })
		start = time.Now()
		postPart(t, c, smallAlert, len(smallAlert))
		<-b.handling
		gate <- nil
		checkAnswer(t, c, start, http.StatusOK, time.Second)

		// A failure after the answer counts once.
		start = time.Now()
		postPart(t, c, smallAlert, len(smallAlert))
		checkAnswer(t, c, start, http.StatusServiceUnavailable, 2*time.Second)
		gate <- errors.New("disk full")
		synctest.Wait()
		if s := b.Status(); !strings.Contains(s.LastError, "disk full") || b.rejected.of(ReasonStore) != 2 {
			t.Errorf("status %+v, rejected %v", s, b.rejected.all())
		}
	})
}

// The deadline is one for all that takes time.
func TestHTTPSlowBodyAndHandle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan error)
		b := newBubble(t, HTTPConfig{}, gate)
		c, start := b.dial(), time.Now()
		postPart(t, c, smallAlert, 5)
		time.Sleep(time.Second)
		if _, err := c.Write([]byte(smallAlert[5:])); err != nil {
			t.Fatal(err)
		}
		checkAnswer(t, c, start, http.StatusServiceUnavailable, 2*time.Second)
		if n := len(b.handling); n != 1 {
			t.Errorf("handle was called %d times", n)
		}
		gate <- nil
	})
}

func TestHTTPStop(t *testing.T) {
	t.Run("requests in flight", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			gate := make(chan error)
			b := newBubble(t, HTTPConfig{}, gate)
			c, start := b.dial(), time.Now()
			postPart(t, c, smallAlert, len(smallAlert))
			<-b.handling
			b.stop()
			time.Sleep(time.Second)
			gate <- nil
			checkAnswer(t, c, start, http.StatusOK, time.Second)
			<-b.ended
		})
	})
	t.Run("what goes on after its answer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			gate := make(chan error)
			b := newBubble(t, HTTPConfig{}, gate)
			c, start := b.dial(), time.Now()
			postPart(t, c, smallAlert, len(smallAlert))
			checkAnswer(t, c, start, http.StatusServiceUnavailable, 2*time.Second)
			b.stop()
			time.Sleep(stopBound / 2)
			synctest.Wait()
			select {
			case <-b.ended:
				t.Fatal("Run returned while alerts are being stored")
			default:
			}
			gate <- nil
			<-b.ended
		})
	})
	t.Run("what does not end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBubble(t, HTTPConfig{}, make(chan error))
			c := b.dial()
			postPart(t, c, smallAlert, len(smallAlert))
			<-b.handling
			go func() { _, _ = io.Copy(io.Discard, c) }()
			start := time.Now()
			b.stop()
			<-b.ended
			if took := time.Since(start); took > stopBound {
				t.Errorf("stopped after %s", took)
			}
		})
	})
}

func TestHTTPListenerBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, HTTPConfig{}, nil)
		_ = b.Close()
		<-b.ended
		if b.err == nil || !strings.Contains(b.err.Error(), "memory") {
			t.Errorf("Run: %v, want an error that names the address", b.err)
		}
		b.err = nil
	})
}

func TestHTTPFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = smallBodies
		gate := make(chan error)
		b := newBubble(t, HTTPConfig{}, gate)
		post := func() (net.Conn, time.Time) {
			c := b.dial()
			start := time.Now()
			postPart(t, c, smallAlert, len(smallAlert))
			return c, start
		}
		for range most {
			post()
		}
		synctest.Wait()
		c, start := post()
		checkAnswer(t, c, start, http.StatusServiceUnavailable, 2*time.Second)
		synctest.Wait()
		if n := len(b.handling); n != most {
			t.Errorf("%d are being stored, want %d", n, most)
		}
		if n := b.rejected.of(ReasonStore); n != most+1 {
			t.Errorf("%d answered 503, want %d", n, most+1)
		}

		// One that waits is served when another is done.
		c, start = post()
		synctest.Wait()
		gate <- nil
		synctest.Wait()
		for range most {
			gate <- nil
		}
		checkAnswer(t, c, start, http.StatusOK, 0)
	})
}

// Who announces much and sends little keeps only others of his kind waiting.
func TestHTTPTrickle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, HTTPConfig{}, nil)
		large := strings.Repeat(" ", maxBody-len(smallAlert)) + smallAlert
		for range 200 {
			postPart(t, b.dial(), large, 1)
		}
		synctest.Wait()
		c, start := b.dial(), time.Now()
		postPart(t, c, smallAlert, len(smallAlert))
		checkAnswer(t, c, start, http.StatusOK, 0)
		postPart(t, c, large[:smallBody+1], 0)
		checkAnswer(t, c, start, http.StatusServiceUnavailable, 2*time.Second)
		time.Sleep(2 * time.Second)
		c, start = b.dial(), time.Now()
		postPart(t, c, large, len(large))
		checkAnswer(t, c, start, http.StatusOK, 0)
	})
}

// TestHTTPTooManyConnections: who holds all places, and says nothing or no more, does not keep out the one that
// has an alert. Falco sends it once.
func TestHTTPTooManyConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, HTTPConfig{}, nil)
		first, second := b.dial(), b.dial()
		for range maxConnections - 2 {
			b.dial()
		}
		postPart(t, first, smallAlert, len(smallAlert))
		checkAnswer(t, first, time.Now(), http.StatusOK, 0)
		one := b.dial()
		synctest.Wait()
		for _, c := range []net.Conn{one, first} {
			postPart(t, c, smallAlert, len(smallAlert))
			checkAnswer(t, c, time.Now(), http.StatusOK, 0)
		}
		start := time.Now()
		if status, took := readStatus(t, second, start); status != 0 || took > 0 {
			t.Errorf("the one to which nothing has happened for longest: %d after %s", status, took)
		}
	})
}

func TestHTTPIdleConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, HTTPConfig{}, nil)
		silent, kept, start := b.dial(), b.dial(), time.Now()
		if status, took := readStatus(t, silent, start); status != 0 || took != headerBound {
			t.Errorf("a connection without a request: %d after %s", status, took)
		}
		_ = kept.Close()
		kept = b.dial()
		for range 3 {
			postPart(t, kept, smallAlert, len(smallAlert))
			checkAnswer(t, kept, time.Now(), http.StatusOK, 0)
			time.Sleep(118 * time.Second) // as long as libcurl uses one again
		}
		start = time.Now()
		postPart(t, kept, smallAlert, len(smallAlert))
		checkAnswer(t, kept, start, http.StatusOK, 0)
		if status, took := readStatus(t, kept, start); status != 0 || took != idleBound {
			t.Errorf("a connection that is not used: %d after %s", status, took)
		}
	})
}

func TestHTTPLogIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		b := newBubble(t, HTTPConfig{}, nil)
		b.env.Log = zerolog.New(&out)
		c := b.dial()
		post := func(times int) {
			for range times {
				postPart(t, c, "no alert", 8)
				checkAnswer(t, c, time.Now(), http.StatusBadRequest, 0)
			}
			synctest.Wait()
		}
		post(500)
		if n := strings.Count(out.String(), "\n"); n != 1 {
			t.Errorf("%d lines for 500 rejections:\n%s", n, &out)
		}
		time.Sleep(logEvery)
		post(1)
		if n := strings.Count(out.String(), "\n"); n != 2 || !strings.Contains(out.String(), `"alerts":500`) {
			t.Errorf("the second line does not count the 499 held back and itself:\n%s", &out)
		}
		if n := b.rejected.of(ReasonMalformed); n != 501 {
			t.Errorf("%d counted", n)
		}
	})
}

package sinktest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// throttled is the pause that HTTP's destination asks for.
const throttled = 7 * time.Second

// HTTP starts a destination that takes posts at any path, and returns its URL and a Harness that lacks Open,
// Inert and Secret. What it received are the bodies. Of a request that it refuses it repeats the path and the
// header, as real receivers do.
//
//	url, h := sinktest.HTTP(t)
//	h.Secret = "s3cret-s3cret"
//	h.Open = func() (sink.Sink, error) { return open(t.Context(), config{URL: url, Token: h.Secret}, sinktest.Env()) }
//	h.Inert = sinktest.CheckJSON
func HTTP(t testing.TB) (url string, h Harness) {
	t.Helper()
	s := NewServer(t, "tcp", nil, func(conn net.Conn, s *Server) {
		for reader := bufio.NewReader(conn); ; {
			req, err := http.ReadRequest(reader)
			if err != nil {
				return
			}
			body, err := io.ReadAll(req.Body)
			if err != nil || respond(conn, req, s.Take(body)) != nil {
				return
			}
		}
	})
	h = s.Harness()
	h.Throttle = func() time.Duration {
		s.Set(Throttles)
		return throttled
	}
	return "http://" + s.Address, h
}

func respond(conn net.Conn, req *http.Request, conduct Conduct) error {
	code := map[Conduct]int{
		Accepts: http.StatusOK, Rejects: http.StatusBadRequest, Throttles: http.StatusTooManyRequests, Fails: http.StatusBadGateway,
	}[conduct]
	answer := &http.Response{StatusCode: code, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}}
	if conduct == Throttles {
		answer.Header.Set("Retry-After", fmt.Sprint(int(throttled.Seconds())))
	}
	if conduct != Accepts {
		text := fmt.Sprintf("can not take %s with %v", req.URL, req.Header)
		answer.Body, answer.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	}
	return answer.Write(conn)
}

package sink_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/filelessd/filelessd/pkg/sink"
)

func answer(status int, header http.Header, body string) error {
	return sink.CheckResponse(&http.Response{
		StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)),
	})
}

func TestCheckResponseClasses(t *testing.T) {
	const (
		accepted = "accepted"
		passing  = "passing"
		final    = "final"
	)
	tests := map[int]string{
		200: accepted, 201: accepted, 202: accepted, 204: accepted, 299: accepted,
		408: passing, 425: passing, 429: passing,
		500: passing, 501: passing, 502: passing, 503: passing, 504: passing, 599: passing,
		401: passing, 403: passing, 404: passing,
		101: final, 300: final, 301: final, 302: final, 304: final, 307: final, 308: final,
		400: final, 402: final, 405: final, 406: final, 409: final, 410: final, 411: final,
		413: final, 415: final, 418: final, 422: final, 426: final, 451: final, 499: final, 600: final,
	}
	for status, want := range tests {
		err := answer(status, nil, "because")
		got := passing
		switch {
		case err == nil:
			got = accepted
		case sink.IsPermanent(err):
			got = final
		}
		if got != want {
			t.Errorf("%d is %s (%v), want %s", status, got, err, want)
		}
	}
}

func TestCheckResponseHonoursRetryAfter(t *testing.T) {
	tests := []struct {
		value string
		want  time.Duration
	}{
		{"", 0},
		{"0", 0},
		{"7", 7 * time.Second},
		{"007", 7 * time.Second},
		{"3600", time.Hour},
		{"3601", time.Hour},
		{"86400", time.Hour},
		{"9223372036854775807", time.Hour},
		{"99999999999999999999999999", time.Hour},
		{"-7", 0},
		{"+7", 0},
		{"1.5", 0},
		{"7s", 0},
		{"soon", 0},
		{"Sat, 01 Jan 2000 00:00:30 GMT", 30 * time.Second},
		{"Saturday, 01-Jan-00 00:00:30 GMT", 30 * time.Second},
		{"Sat Jan  1 00:00:30 2000", 30 * time.Second},
		{"Fri, 31 Dec 1999 23:00:00 GMT", 0},
		{"Sat, 01 Jan 2000 02:00:00 GMT", time.Hour},
		{"Fri, 31 Dec 9999 23:59:59 GMT", time.Hour},
		{"Sat, 01 Jan 2000 00:00:30 CET", 0},
	}
	for _, tt := range tests {
		t.Run(tt.value, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // where it is midnight of the 1st of January 2000
				header := http.Header{"Retry-After": {tt.value}}
				for _, status := range []int{408, 425, 429, 500, 503} {
					err := answer(status, header, "")
					if got := sink.Delay(err); got != tt.want {
						t.Errorf("%d: %s, want %s", status, got, tt.want)
					}
				}
				for _, status := range []int{401, 404, 400, 302} {
					err := answer(status, header, "")
					if got := sink.Delay(err); got != 0 {
						t.Errorf("%d: %s, want 0", status, got)
					}
				}
			})
		})
	}
}

func TestCheckResponseQuotesTheBody(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"empty", "", "answered 400 Bad Request"},
		{"blank", " \n\t", "answered 400 Bad Request"},
		{"lines", "{\n  \"error\":\r\n\t\"no\"\n}\n", `answered 400 Bad Request: "{ \"error\": \"no\" }"`},
		{"escapes", "a\x1b[31mb\u202e\xff\x00", `answered 400 Bad Request: "a\x1b[31mb\u202e` + "\ufffd" + `\x00"`},
		{"long", strings.Repeat("ä", 500), `answered 400 Bad Request: "` + strings.Repeat("ä", 100) + `…"`},
		{"cut in a character", "a" + strings.Repeat("ä", 500), `answered 400 Bad Request: "a` + strings.Repeat("ä", 99) + `…"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := answer(400, nil, tt.body); err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
	if err := answer(499, nil, ""); err == nil || err.Error() != "answered 499" {
		t.Errorf("a status without a name: %v", err)
	}
}

func TestCheckResponseHidesEachPartOfTheRequest(t *testing.T) {
	req := httptest.NewRequest(http.MethodPost,
		"https://operator:hunter22@h.example/v1/hook/T000B000/SEC%2FRETS?key=qu3ry%20key&v=2", nil)
	req.Header.Set("Authorization", "Bearer bearer-token-1")
	req.Header.Set("X-Pass", "correct-horse on a")
	req.Header.Set("Content-Type", "application/json")
	tests := map[string]string{
		"/v1/hook/T000B000/SEC/RETS not found":   "[redacted] not found",
		"/v1/hook/T000B000/SEC%2FRETS not found": "[redacted] not found",
		"no T000B000":                            "no [redacted]",
		"no SEC%2FRETS":                          "no [redacted]",
		"no SEC/RETS":                            "no [redacted]",
		"no ?key=qu3ry%20key&v=2":                "no ?[redacted]",
		"no qu3ry%20key":                         "no [redacted]",
		"no qu3ry key":                           "no [redacted]",
		"operator hunter22":                      "[redacted] [redacted]",
		"bad Bearer bearer-token-1":              "bad [redacted]",
		"bad bearer-token-1":                     "bad [redacted]",
		"bad correct-horse on a":                 "bad [redacted]",
		"v1 of hook wants application/json":      "v1 of hook wants application/json",
	}
	for body, want := range tests {
		err := sink.CheckResponse(&http.Response{
			StatusCode: http.StatusBadRequest, Request: req, Body: io.NopCloser(strings.NewReader(body)),
		})
		want = fmt.Sprintf("POST https://h.example: answered 400 Bad Request: %q", want)
		if err == nil || err.Error() != want {
			t.Errorf("%s:\ngot  %v\nwant %s", body, err, want)
		}
	}
}

// endless is a body that has a byte whenever it is asked.
type endless struct {
	read   int
	closed bool
}

func (b *endless) Read(p []byte) (int, error) { b.read += len(p); return len(p), nil }
func (b *endless) Close() error               { b.closed = true; return nil }

func TestCheckResponseLeavesAnEndlessBody(t *testing.T) {
	for _, status := range []int{200, 400, 503} {
		body := &endless{}
		err := sink.CheckResponse(&http.Response{StatusCode: status, Body: body})
		if (err == nil) != (status == 200) {
			t.Errorf("%d: %v", status, err)
		}
		if !body.closed || body.read > 1<<20 {
			t.Errorf("%d: closed %v after %d bytes", status, body.closed, body.read)
		}
	}
}

func TestCheckResponseDoesNotWaitForTheBody(t *testing.T) {
	for _, status := range []int{200, 400, 503} {
		synctest.Test(t, func(t *testing.T) {
			body, _ := io.Pipe() // nobody ever writes
			start := time.Now()
			err := sink.CheckResponse(&http.Response{StatusCode: status, Body: body})
			if (err == nil) != (status == 200) {
				t.Errorf("%d: %v", status, err)
			}
			if waited := time.Since(start); waited > 2*time.Second {
				t.Errorf("%d: waited %s", status, waited)
			}
		})
	}
}

func TestCheckResponseTakesABodyThatBreaks(t *testing.T) {
	body := io.NopCloser(io.MultiReader(strings.NewReader("half"), brokenReader{}))
	if err := sink.CheckResponse(&http.Response{StatusCode: http.StatusOK, Body: body}); err != nil {
		t.Errorf("the status said that it was accepted, and then: %v", err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestCheckResponseDoesNotReadASwitchedConnection(t *testing.T) {
	body := &endless{}
	if err := sink.CheckResponse(&http.Response{StatusCode: http.StatusSwitchingProtocols, Body: body}); !sink.IsPermanent(err) {
		t.Errorf("got %v", err)
	}
	if body.read != 0 || !body.closed {
		t.Errorf("read %d bytes, closed %v", body.read, body.closed)
	}
}

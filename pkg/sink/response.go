package sink

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// CheckResponse reads what is left of resp, closes it, and returns nil for a 2xx status or else an
// error of the class that the status asks for:
//
//   - 408, 425, 429 and 5xx are tried again, after what Retry-After says;
//   - 401, 403 and 404 are the receiver's fault, not the report's, and tried again too;
//   - anything else, a redirect included, is final.
//
// The error quotes the beginning of the body without what the request holds as secrets: many
// receivers repeat the path or the credentials that they refuse. Of a body that is long, or does
// not end, the rest is left unread and the connection closed.
func CheckResponse(resp *http.Response) error {
	excerpt := readBody(resp)
	if resp.StatusCode/100 == 2 {
		if wanted(resp) {
			Answered(resp.Request.Context(), statusText(resp, excerpt))
		}
		return nil
	}
	err := responseError(resp, excerpt)
	switch code := resp.StatusCode; {
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly,
		code == http.StatusTooManyRequests, code/100 == 5:
		return RetryAfter(err, retryAfter(resp.Header.Get("Retry-After"), time.Now()))
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusNotFound:
		return err
	default:
		return Permanent(err)
	}
}

// wanted reports whether somebody wants to see an answer that says that all is well.
func wanted(resp *http.Response) bool { return resp.Request != nil && listens(resp.Request.Context()) }

func statusText(resp *http.Response, excerpt string) string {
	// Not resp.Status: its text is the receiver's.
	text := strings.TrimSpace(strconv.Itoa(resp.StatusCode) + " " + http.StatusText(resp.StatusCode))
	if excerpt != "" {
		text += ": " + strconv.Quote(excerpt)
	}
	return text
}

func responseError(resp *http.Response, excerpt string) error {
	text := "answered " + statusText(resp, excerpt)
	if resp.Request == nil {
		return errors.New(text)
	}
	return fmt.Errorf("%s: %s", describe(resp.Request), text)
}

const (
	excerptSize = 4 << 10         // read for the error
	drainSize   = 256 << 10       // read so that the connection can be used again
	drainTime   = 1 * time.Second // for both: the status is known, and a new connection costs less
)

// readBody drains and closes the body. It returns the beginning as one line, unless the status says
// that all is well and nobody wants to see it.
func readBody(resp *http.Response) string {
	defer resp.Body.Close()
	switch {
	case resp.Body == http.NoBody:
		return ""
	case resp.StatusCode == http.StatusSwitchingProtocols:
		return "" // the body is the connection, whose end no context bounds
	}
	stop := time.AfterFunc(drainTime, func() { resp.Body.Close() })
	defer stop.Stop()
	if resp.StatusCode/100 == 2 && !wanted(resp) {
		_, _ = io.CopyN(io.Discard, resp.Body, drainSize)
		return ""
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, excerptSize))
	_, _ = io.CopyN(io.Discard, resp.Body, drainSize)
	return oneLine(hide(string(body), resp.Request))
}

// oneLine returns the beginning of text with each run of space as one blank.
func oneLine(text string) string {
	const most = 200
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "\ufffd")), " ")
	if len(text) <= most {
		return text
	}
	end := most
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// retryAfter reads a Retry-After header: seconds or an HTTP date, which may be past. It returns 0
// for anything else.
func retryAfter(value string, now time.Time) time.Duration {
	seconds, err := strconv.ParseUint(value, 10, 64)
	if err == nil || errors.Is(err, strconv.ErrRange) { // on ErrRange seconds is the largest
		return time.Duration(min(seconds, uint64(MaxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return at.Sub(now)
}

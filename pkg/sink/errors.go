package sink

import (
	"errors"
	"time"
)

// Permanent marks err as final: the destination will never take this report, so it is not tried
// again and goes to the dead letters.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// IsPermanent reports whether err, or what it wraps, is final.
func IsPermanent(err error) bool {
	var p *permanentError
	return errors.As(err, &p)
}

type permanentError struct{ error }

func (e *permanentError) Unwrap() error { return e.error }

// RetryAfter marks err as passing: the destination asks to be left alone for d. With d of zero the
// program's own backoff applies, as it does for every error that is not marked at all.
func RetryAfter(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &retryError{err, d}
}

// Delay returns how long the destination asked to be left alone, at most MaxRetryAfter.
func Delay(err error) time.Duration {
	var r *retryError
	if !errors.As(err, &r) {
		return 0
	}
	return min(max(r.after, 0), MaxRetryAfter)
}

// MaxRetryAfter is the longest pause that a destination can ask for.
const MaxRetryAfter = time.Hour

type retryError struct {
	error
	after time.Duration
}

func (e *retryError) Unwrap() error { return e.error }

package sink

import (
	"errors"
	"time"
)

// Permanent marks err as final: the destination will never take this report, so it is not tried
// again and goes to the dead letters. Nil stays nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &marked{err: err, permanent: true}
}

// RetryAfter marks err as passing: the destination asks to be left alone for d. With d of zero the
// program's own backoff applies, as it does for every error that is not marked at all. Nil stays
// nil.
func RetryAfter(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &marked{err: err, after: d}
}

// MaxRetryAfter is the longest pause that a destination can ask for.
const MaxRetryAfter = time.Hour

// IsPermanent reports whether err is final.
//
// Of several marks on one error the outermost counts, so that a sink which knows its destination
// better can overrule CheckResponse. Of joined errors the first that is marked counts.
func IsPermanent(err error) bool {
	m, ok := errors.AsType[*marked](err)
	return ok && m.permanent
}

// Delay returns how long the destination asked to be left alone: 0 to MaxRetryAfter, 0 if it did
// not ask or err is final.
func Delay(err error) time.Duration {
	m, ok := errors.AsType[*marked](err)
	if !ok {
		return 0
	}
	return min(max(m.after, 0), MaxRetryAfter)
}

// marked is an error of a known class. It adds nothing to the text.
type marked struct {
	err       error
	permanent bool
	after     time.Duration
}

func (m *marked) Error() string { return m.err.Error() }
func (m *marked) Unwrap() error { return m.err }

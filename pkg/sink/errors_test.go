package sink_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/filelessd/filelessd/pkg/sink"
)

func TestErrorClasses(t *testing.T) {
	cause := errors.New("status 400")
	final := sink.Permanent(cause)
	passing := sink.RetryAfter(cause, time.Minute)
	tests := []struct {
		name      string
		err       error
		permanent bool
		delay     time.Duration
	}{
		{"nil", nil, false, 0},
		{"not marked", cause, false, 0},
		{"permanent", final, true, 0},
		{"retry after", passing, false, time.Minute},
		{"permanent, wrapped", fmt.Errorf("bulk: %w", fmt.Errorf("item 3: %w", final)), true, 0},
		{"retry after, wrapped", fmt.Errorf("bulk: %w", passing), false, time.Minute},
		{"permanent, joined", errors.Join(cause, final), true, 0},
		{"retry after, joined", errors.Join(cause, passing), false, time.Minute},
		{"joined: the first mark counts", errors.Join(passing, final), false, time.Minute},
		{"joined: the first mark counts, other way", errors.Join(final, passing), true, 0},
		{"overruled: final", sink.Permanent(fmt.Errorf("gone: %w", passing)), true, 0},
		{"overruled: passing", sink.RetryAfter(fmt.Errorf("busy: %w", final), time.Second), false, time.Second},
		{"no pause", sink.RetryAfter(cause, 0), false, 0},
		{"negative pause", sink.RetryAfter(cause, -time.Second), false, 0},
		{"longest pause", sink.RetryAfter(cause, time.Hour), false, time.Hour},
		{"too long a pause", sink.RetryAfter(cause, 25*time.Hour), false, sink.MaxRetryAfter},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := sink.IsPermanent(tt.err); got != tt.permanent {
				t.Errorf("IsPermanent = %v, want %v", got, tt.permanent)
			}
			if got := sink.Delay(tt.err); got != tt.delay {
				t.Errorf("Delay = %s, want %s", got, tt.delay)
			}
			if tt.err != nil && !errors.Is(tt.err, cause) {
				t.Error("the cause is not in the chain")
			}
		})
	}
}

func TestMarksAddNothing(t *testing.T) {
	cause := errors.New("status 400")
	for _, err := range []error{sink.Permanent(cause), sink.RetryAfter(cause, time.Second)} {
		if err.Error() != cause.Error() {
			t.Errorf("text %q, want %q", err, cause)
		}
	}
	if sink.Permanent(nil) != nil || sink.RetryAfter(nil, time.Second) != nil {
		t.Error("nil did not stay nil")
	}
}

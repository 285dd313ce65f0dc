package deliver

import (
	"errors"
	"fmt"
	"time"
)

// Policy is how reports go to one sink. The keys are the same for every kind of sink.
type Policy struct {
	// When is the expression that a report must meet to go to this sink; empty for all.
	When string `yaml:"when"`
	// Start is where a sink that was not there before begins: now, or oldest for all that is kept.
	Start string `yaml:"start"`
	// Timeout is how long one delivery may take.
	Timeout time.Duration `yaml:"timeout"`
	// Concurrency is how many deliveries may be under way at once. The order of reports about one
	// alert, and of those about one group, is kept in any case.
	Concurrency int       `yaml:"concurrency"`
	Retry       Retry     `yaml:"retry"`
	RateLimit   RateLimit `yaml:"rate_limit"`
	Batch       Batch     `yaml:"batch"`
	// SuppressionReport is how often a report says what silences and the rate limit withheld. One
	// comes also when a silence ends.
	SuppressionReport time.Duration `yaml:"suppression_report"`
}

// Batch is how many reports make one delivery, for sinks that take several at once.
type Batch struct {
	// Max is how many reports go together at most; 1 for each by itself.
	Max int `yaml:"max"`
	// Wait is how long a report waits for others.
	Wait time.Duration `yaml:"wait"`
}

// Retry is how a failed delivery is tried again.
type Retry struct {
	// Initial is the pause after the first failure; it doubles up to Max, with jitter.
	Initial time.Duration `yaml:"initial"`
	Max     time.Duration `yaml:"max"`
	// GiveUp is how long a report is tried before it goes to the dead letters.
	GiveUp time.Duration `yaml:"give_up"`
}

// DefaultPolicy is what a sink's configuration starts from.
func DefaultPolicy() Policy {
	return Policy{
		Start: "now", Timeout: 10 * time.Second, Concurrency: 8,
		Retry: Retry{Initial: 500 * time.Millisecond, Max: 15 * time.Second, GiveUp: 72 * time.Hour},
		Batch: Batch{Max: 1}, SuppressionReport: time.Hour,
	}
}

// Validate says what is wrong with p, except for When, which has a compiler of its own.
func (p Policy) Validate() error {
	var errs []error
	bad := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(p.Start == "now" || p.Start == "oldest", "start: want now or oldest, got %q", p.Start)
	bad(p.Timeout > 0, "timeout: want more than 0, got %s", p.Timeout)
	bad(p.Concurrency >= 1 && p.Concurrency <= 64, "concurrency: want 1 to 64, got %d", p.Concurrency)
	bad(p.Retry.Initial > 0, "retry.initial: want more than 0, got %s", p.Retry.Initial)
	bad(p.Retry.Max >= p.Retry.Initial, "retry.max: want at least retry.initial, got %s", p.Retry.Max)
	bad(p.Retry.GiveUp > 0, "retry.give_up: want more than 0, got %s", p.Retry.GiveUp)
	bad(p.RateLimit.PerMinute >= 0 && p.RateLimit.PerMinute <= 1_000_000, "rate_limit.per_minute: want 0 to 1000000, got %d", p.RateLimit.PerMinute)
	bad(p.RateLimit.Burst >= 0, "rate_limit.burst: want 0 or more, got %d", p.RateLimit.Burst)
	bad(p.RateLimit.Burst == 0 || p.RateLimit.PerMinute > 0, "rate_limit.burst: means nothing without per_minute")
	bad(p.Batch.Max >= 1 && p.Batch.Max <= window, "batch.max: want 1 to %d, got %d", window, p.Batch.Max)
	bad(p.Batch.Wait >= 0, "batch.wait: want 0 or more, got %s", p.Batch.Wait)
	bad(p.SuppressionReport > 0, "suppression_report: want more than 0, got %s", p.SuppressionReport)
	return errors.Join(errs...)
}

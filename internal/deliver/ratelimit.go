package deliver

import (
	"fmt"
	"time"
)

// RateLimit is how many alerts go to a sink at most.
type RateLimit struct {
	// PerMinute is how many alerts a minute go to the sink in the long run; 0 for no limit. What is
	// beyond is counted, and a report says how often; the log has it. A critical alert always goes,
	// and a summary waits until there is room.
	PerMinute int `yaml:"per_minute"`
	// Burst is how many may go at once after a quiet time; 0 for as many as PerMinute.
	Burst int `yaml:"burst"`
}

func (l RateLimit) words() string { return fmt.Sprintf("the rate limit of %d a minute", l.PerMinute) }

// bucket has a token for each alert that may go now.
type bucket struct {
	every  time.Duration // for one token; 0 for no limit
	burst  float64
	tokens float64
	at     time.Time
}

func newBucket(l RateLimit, now time.Time) bucket {
	if l.PerMinute == 0 {
		return bucket{}
	}
	burst := float64(l.PerMinute)
	if l.Burst > 0 {
		burst = float64(l.Burst)
	}
	return bucket{every: time.Minute / time.Duration(l.PerMinute), burst: burst, tokens: burst, at: now}
}

// wait is how long until there is a token.
func (b *bucket) wait(now time.Time) time.Duration {
	if b.every == 0 {
		return 0
	}
	if gone := now.Sub(b.at); gone > 0 {
		b.tokens = min(b.burst, b.tokens+float64(gone)/float64(b.every))
		b.at = now
	}
	if b.tokens >= 1 {
		return 0
	}
	return time.Duration((1-b.tokens)*float64(b.every)) + 1
}

// take takes a token, and reports whether there was one.
func (b *bucket) take(now time.Time) bool {
	if b.wait(now) > 0 {
		return false
	}
	b.spend()
	return true
}

// spend takes a token for what goes in any case.
func (b *bucket) spend() {
	if b.every > 0 {
		b.tokens = max(0, b.tokens-1)
	}
}

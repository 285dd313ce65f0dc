package rig

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/filelessd/filelessd/internal/falcosim"
)

// Load is alerts that are posted as Falco's http_output posts them: one a request, over a connection
// that is kept, each poster waiting for its answer. In two things it differs from Falco: it looks at the
// status, and it repeats what was not accepted, as what is counted is what was accepted.
type Load struct {
	URL     string
	Posters int
	Shape   Shape
	// From and To are the numbers of the first alert and of the one after the last.
	From, To int
	// Rate is how many alerts are posted a second; 0 for as many as go.
	Rate int
	// Batch is how many alerts go in one request, as JSON lines; 0 or 1 for one, as Falco does. It is
	// only for filling a log.
	Batch int
	// Stop, when closed, keeps further alerts from being begun. Those that were go on until accepted.
	Stop <-chan struct{}
	// Accepted hears how many alerts are accepted, after each answer; nil for nobody.
	Accepted func(int)
}

const (
	// postTimeout is longer than filelessd's own for an answer.
	postTimeout = 5 * time.Second
	// repeatAfter is how long a poster waits before it repeats what was not accepted: a receiver that
	// is starting anew should not have to do so against a storm.
	repeatAfter = 20 * time.Millisecond
)

// Run posts until all alerts are accepted that were begun, or ctx ends.
func (l Load) Run(ctx context.Context, sent *Sent) {
	var next atomic.Int64
	next.Store(int64(l.From))
	step := int64(max(1, l.Batch))
	began := time.Now()
	var posters sync.WaitGroup
	for range l.Posters {
		posters.Go(func() {
			out := &falcosim.HTTPOutput{URL: l.URL}
			defer out.Close()
			var body []byte
			for {
				from := int(next.Add(step) - step)
				to := min(from+int(step), l.To)
				if from >= l.To || !l.due(ctx, began, from) || l.stopped() {
					return
				}
				body = body[:0]
				for n := from; n < to; n++ {
					if n > from {
						body = append(body, '\n')
					}
					body = AppendAlert(body, l.Shape, n)
				}
				if !l.post(ctx, out, body, sent, from, to) {
					return
				}
			}
		})
	}
	posters.Wait()
}

func (l Load) stopped() bool {
	select {
	case <-l.Stop:
		return true
	default:
		return false
	}
}

// due waits until alert n is to be posted.
func (l Load) due(ctx context.Context, began time.Time, n int) bool {
	if l.Rate <= 0 {
		return ctx.Err() == nil
	}
	at := began.Add(time.Duration(n-l.From) * time.Second / time.Duration(l.Rate))
	return pause(ctx, time.Until(at))
}

// post posts the alerts from one number up to another until they are accepted.
func (l Load) post(ctx context.Context, out *falcosim.HTTPOutput, body []byte, sent *Sent, from, to int) bool {
	for n := from; n < to; n++ {
		sent.begin(n)
	}
	for {
		postCtx, cancel := context.WithTimeout(ctx, postTimeout)
		status, err := out.Post(postCtx, body)
		cancel()
		if err == nil && status/100 == 2 {
			break
		}
		sent.refused.Add(1)
		if !pause(ctx, repeatAfter) {
			return false
		}
	}
	for n := from; n < to; n++ {
		count := sent.accept(n)
		if l.Accepted != nil {
			l.Accepted(count)
		}
	}
	return true
}

// pause returns false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

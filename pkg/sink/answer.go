package sink

import (
	"context"
	"sync"
)

// answersKey is the key of a context's *answers.
type answersKey struct{}

type answers struct {
	mu    sync.Mutex
	texts []string
}

// mostAnswers bounds what is kept of one delivery.
const mostAnswers = 20

// Answered tells whoever wants to know what the destination said to a delivery that it took, such as
// "250 2.0.0 queued as 4F1A2": `filelessd test-sink` shows it. ctx is Deliver's. Other deliveries nobody
// listens to, and then it costs nothing. Send, Do and CheckResponse call it by themselves; what a
// destination refuses is in the error.
//
// The text is the destination's: a sink leaves its secrets out, as in errors.
func Answered(ctx context.Context, text string) {
	a, ok := ctx.Value(answersKey{}).(*answers)
	if !ok {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.texts) < mostAnswers {
		a.texts = append(a.texts, oneLine(text))
	}
}

// WithAnswers returns a context for a delivery, and what the destination answered to it so far.
func WithAnswers(ctx context.Context) (context.Context, func() []string) {
	a := new(answers)
	return context.WithValue(ctx, answersKey{}, a), func() []string {
		a.mu.Lock()
		defer a.mu.Unlock()
		return append([]string{}, a.texts...)
	}
}

func listens(ctx context.Context) bool { return ctx.Value(answersKey{}) != nil }

package sink

import (
	"context"

	"github.com/filelessd/filelessd/pkg/report"
)

// State is a sink's small memory, such as the id that a chat gave to the first message of a thread. It
// is kept on disk together with how far the sink is: what Put was told in a Deliver that returned nil
// is there after a restart, unless a crash has the report delivered again.
//
// It is a help and no promise: it is bounded, and forgets the oldest. A sink has to do without what
// Get does not find. Its methods may be called from several goroutines.
type State interface {
	// Get returns what was put under key.
	Get(key string) (value string, ok bool)
	// Put remembers value under key, and forgets what was there before; an empty value is nothing to
	// remember. Keys and values beyond MaxStateKey and MaxStateValue bytes are not kept.
	Put(key, value string)
}

// What a State keeps for one sink.
const (
	MaxStateKey   = 256
	MaxStateValue = 1024
)

// ThreadKey returns what reports about one attack have in common: the first alert of a group, later
// alerts of it and its summaries. It is the same after a restart and on another day, and it is short
// and plain: hexadecimal digits, or words of filelessd's own for reports about itself.
//
// Of an alert, only the context that Deliver or DeliverBatch was called with tells. Where grouping is
// off, each alert is a thread of its own, with its ID as the key. Updates are in the thread of what they
// are about.
func ThreadKey(ctx context.Context, r *report.Report) string {
	if threads, ok := ctx.Value(threadsKey{}).(map[string]string); ok && threads[r.ID] != "" {
		return threads[r.ID]
	}
	switch {
	case r.Kind == report.KindSummary && r.Group != nil && r.Group.Key != "":
		return r.Group.Key
	case r.Kind == report.KindUpdate && len(r.About) > 0:
		return r.About[0]
	default:
		return r.ID
	}
}

type threadsKey struct{}

// WithThreads is for the program around a sink, and for tests: it tells ThreadKey the keys of reports,
// by their IDs.
func WithThreads(ctx context.Context, threads map[string]string) context.Context {
	return context.WithValue(ctx, threadsKey{}, threads)
}

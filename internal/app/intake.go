package app

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// intake takes the alerts of all sources: it keeps those that match, analyses them at once, and
// returns when their reports are synced to disk.
type intake struct {
	base    *knowledge.Base
	rules   *atomic.Pointer[rules]
	store   appender
	metrics *metrics
	log     zerolog.Logger
}

func newIntake(base *knowledge.Base, r *rules, store appender, m *metrics, log zerolog.Logger) *intake {
	in := &intake{base: base, rules: new(atomic.Pointer[rules]), store: store, metrics: m, log: log}
	in.rules.Store(r)
	return in
}

// appender is what intake needs of the log.
type appender interface {
	Append(ctx context.Context, records ...store.Record) (added int, err error)
}

// A piece is what is analysed before it is appended: a report is many times as long as the alert that
// it is of, and one request can bring thousands.
const (
	pieceRecords = 256
	pieceBytes   = 1 << 20 // of the reports, in the log's form
)

// handle takes a batch, piece by piece. After an error a part of it can be stored: handed over again,
// that part adds nothing.
func (in *intake) handle(ctx context.Context, source *sourceMetrics, events []event.Event) error {
	var piece []store.Record
	bytes := 0
	rules := in.rules.Load() // all of a batch is judged by the same
	for i := range events {
		record, ok, err := in.record(rules, &events[i], source.name)
		if err != nil {
			in.metrics.lost.WithLabelValues("panic").Inc()
			in.log.Error().Err(err).Str("id", events[i].ID()).Msg("an alert could not be analysed; this is a mistake of filelessd")
			continue
		}
		if !ok {
			continue
		}
		piece = append(piece, record)
		if bytes += len(record.Body); len(piece) == pieceRecords || bytes >= pieceBytes {
			if err := in.append(ctx, source, piece); err != nil {
				return err
			}
			piece, bytes = nil, 0
		}
	}
	if err := in.append(ctx, source, piece); err != nil {
		return err
	}
	source.received.Add(float64(len(events)))
	return nil
}

// append returns when the records are synced to disk.
func (in *intake) append(ctx context.Context, source *sourceMetrics, records []store.Record) error {
	if len(records) == 0 {
		return nil
	}
	added, err := in.store.Append(ctx, records...)
	if err != nil {
		return err
	}
	source.duplicate.Add(float64(len(records) - added))
	now := time.Now()
	for i := range records {
		if r, ok := records[i].Value.(*report.Report); ok {
			in.metrics.matched.WithLabelValues(string(r.Technique)).Inc()
			in.metrics.durable.Observe(now.Sub(r.CreatedAt).Seconds())
		}
	}
	return nil
}

// sourceKey is a key of the log's bodies that is no part of a report: where the alert came from first.
// Readers of reports pass over it.
const sourceKey = `,"_source":"`

// withSource adds the source's name, which has no character that JSON would escape, to the body.
func withSource(body []byte, source string) []byte {
	body = append(body[:len(body)-1], sourceKey...)
	return append(append(body, source...), `"}`...)
}

// record analyses e; ok is false if e is not fileless execution. A panic is an error: it must not
// cost the alerts beside it.
func (in *intake) record(by *rules, e *event.Event, source string) (r store.Record, ok bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	hits := by.set.Match(e)
	if len(hits) == 0 {
		return store.Record{}, false, nil
	}
	// The report goes on living, and others read it, while e may come again.
	own := *e
	analysed := by.analyzer.Report(&own, hits)
	body, err := report.Marshal(in.base.Compact(analysed))
	if err != nil {
		return store.Record{}, false, err
	}
	return store.Record{ID: analysed.ID, At: happened(e), Body: withSource(body, source), Value: analysed}, true, nil
}

// happened is the time that takes part in the alert's ID.
func happened(e *event.Event) time.Time {
	if e.Time.IsZero() {
		return e.Received
	}
	return e.Time
}

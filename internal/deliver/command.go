package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
)

// State reads what was settled with a cursor.
type State interface {
	// CursorState returns at most limit changes of a kind, in the order of their keys, from the key
	// from on.
	CursorState(ctx context.Context, cursor, kind, from string, limit int) ([]store.Change, error)
	CountCursorState(ctx context.Context, cursor, kind string) (int, error)
}

// Errors that callers tell apart.
var (
	// ErrStopped: the worker does not run any more, and changes nothing.
	ErrStopped = errors.New("delivery to the sink has stopped")
	// ErrNoDeadLetter: none of the sink's has this ID.
	ErrNoDeadLetter = errors.New("no such dead letter")
	// ErrNoReport: what was kept can not be read as a report, so it can only be dropped.
	ErrNoReport = errors.New("this dead letter is no report")
	// ErrNoRoom: as many reports are tried beside the log as may be.
	ErrNoRoom = errors.New("too many reports are parked already; try again when some of them are delivered")
)

// DeadLetters calls visit with each of the sink's dead letters that was settled, in the order of
// their IDs, until it returns an error. It holds few of them in memory at a time.
func (w *Worker) DeadLetters(ctx context.Context, visit func(Undelivered) error) error {
	const page = 64
	for from := ""; ; {
		some, err := w.State.CursorState(ctx, w.Name, KindDead, from, page)
		if err != nil {
			return err
		}
		for _, c := range some {
			var u Undelivered
			if err := json.Unmarshal(c.Body, &u); err != nil {
				return fmt.Errorf("dead letter %.64q: %w", c.Key, err)
			}
			if err := visit(u); err != nil {
				return err
			}
		}
		if len(some) < page {
			return nil
		}
		from = some[page-1].Key + "\x00"
	}
}

// DeadLetter returns one of the sink's dead letters.
func (w *Worker) DeadLetter(ctx context.Context, id string) (u Undelivered, err error) {
	some, err := w.State.CursorState(ctx, w.Name, KindDead, id, 1)
	if err != nil {
		return u, err
	}
	if len(some) == 0 || some[0].Key != id {
		return u, fmt.Errorf("%w: %.64q", ErrNoDeadLetter, id)
	}
	err = json.Unmarshal(some[0].Body, &u)
	return u, err
}

// Retry has a dead letter delivered as if it were new, under the ID that it has. It returns when that
// is on the disk, which is before the delivery.
func (w *Worker) Retry(ctx context.Context, id string) error {
	return w.withDeadLetter(ctx, id, func(u Undelivered) error {
		p := &parked{Undelivered: u, report: new(report.Report)}
		if err := json.Unmarshal(u.Report, p.report); err != nil {
			return fmt.Errorf("%w: %.64q: %w", ErrNoReport, id, err)
		}
		if len(w.parked) >= mostParked || w.aside+len(p.Report) > parkedBytes {
			return ErrNoRoom
		}
		p.about = aboutOf(p.report)
		p.Attempts, p.Since, p.At, p.Next = 0, time.Time{}, time.Time{}, time.Now()
		w.keepParked(p)
		w.remember(KindParked, &p.Undelivered)
		w.ended(&p.Undelivered, Parked, errPutBack)
		w.Logger.Info().Str("id", id).Msg("a dead letter is tried again")
		return nil
	})
}

// Drop forgets a dead letter for good. It returns when that is on the disk.
func (w *Worker) Drop(ctx context.Context, id string) error {
	return w.withDeadLetter(ctx, id, func(u Undelivered) error {
		w.ended(&u, Dropped, errDropped)
		w.Logger.Warn().Str("id", id).Msg("a dead letter was dropped by an operator")
		return nil
	})
}

// withDeadLetter has the worker take a dead letter away, if do has nothing against it.
func (w *Worker) withDeadLetter(ctx context.Context, id string, do func(Undelivered) error) error {
	settled := make(chan struct{})
	err := w.command(ctx, func() error {
		// Here and not before: another command may have taken it.
		u, err := w.DeadLetter(ctx, id)
		if err != nil {
			return err
		}
		if w.takenDead[id] {
			return fmt.Errorf("%w: %.64q", ErrNoDeadLetter, id)
		}
		if err := do(u); err != nil {
			return err
		}
		w.takenDead[id] = true
		w.exhume(id)
		w.waiters = append(w.waiters, waiter{settled, func() { delete(w.takenDead, id) }})
		return nil
	})
	if err != nil {
		return err
	}
	select {
	case <-settled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-w.over:
		select {
		case <-settled:
			return nil
		default:
			return ErrStopped
		}
	}
}

// exhume takes a letter from the dead ones.
func (w *Worker) exhume(id string) {
	w.changes = append(w.changes, store.Change{Kind: KindDead, Key: id})
	if i := slices.IndexFunc(w.dead.letters, func(l deadLetter) bool { return l.id == id }); i >= 0 {
		w.dead.bytes -= w.dead.letters[i].bytes
		w.dead.letters = slices.Delete(w.dead.letters, i, i+1)
	}
	w.Metrics.dead(w.Name, len(w.dead.letters))
}

// waiter is told when something is settled.
type waiter struct {
	done chan<- struct{}
	then func()
}

// command runs do where all the state is, and returns its error.
func (w *Worker) command(ctx context.Context, do func() error) error {
	result := make(chan error, 1)
	select {
	case w.commands <- func() { result <- do() }:
		return <-result
	case <-w.over:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Ping returns nil once the goroutine that owns all the state has answered, or does not run any more. What
// the sink and the disk do is no matter of that goroutine's, so that it answers whatever they do.
func (w *Worker) Ping(ctx context.Context) error {
	err := w.command(ctx, func() error { return nil })
	if errors.Is(err, ErrStopped) {
		return nil
	}
	return err
}

// GroupStatus is what a sink knows of a group.
type GroupStatus struct {
	Key       string           `json:"key"`
	Technique report.Technique `json:"technique"`
	Severity  report.Severity  `json:"severity"`
	Hosts     []string         `json:"hosts"` // those that an alert told of
	Rules     []string         `json:"rules"`
	Seen      time.Time        `json:"seen"`
	// Held is how many alerts the next summary will count, Summary its ID, and Due when it comes;
	// zero for none.
	Held    int       `json:"held"`
	Summary string    `json:"summary"`
	Due     time.Time `json:"due"`
}

// Group returns what is known of a group; not ok if it was forgotten.
func (w *Worker) Group(ctx context.Context, key string) (s GroupStatus, ok bool, err error) {
	err = w.command(ctx, func() error {
		g := w.groups.byKey[key]
		if g == nil {
			return nil
		}
		ok = true
		s = GroupStatus{Key: key, Technique: g.Technique, Severity: g.Severity, Seen: g.Seen}
		s.Hosts, s.Rules = append(s.Hosts, g.Hosts...), append(s.Rules, g.Rules...)
		if g.Held != nil {
			s.Held, s.Summary, s.Due = g.Held.Count, w.summaryID(g), g.Held.Due
		}
		return nil
	})
	return s, ok, err
}

package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/internal/server"
	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
)

// DeadQuery says which dead letters are meant: all those that meet every part that is given.
type DeadQuery struct {
	Sink  string    `json:"sink"`
	Since time.Time `json:"since"` // given up then or later
	IDs   []string  `json:"ids"`   // of reports, whole or the beginning; none for all
}

// DeadLetter is a report that a sink refused for good, or that was tried for too long.
type DeadLetter struct {
	Sink string `json:"sink"`
	deliver.Undelivered
	Severity report.Severity `json:"severity"`
	Title    string          `json:"title"`
	Bytes    int             `json:"bytes"`
}

// DeadDone is what became of the dead letters that a command was about.
type DeadDone struct {
	Done int `json:"done"`
	Left int `json:"left"` // for which there was no room yet
	// Unreadable ones are no reports: they can be shown and dropped, and nothing else.
	Unreadable int `json:"unreadable"`
}

// shortestID is the shortest beginning that stands for an ID.
const shortestID = 8

func checkID(id string) error {
	if len(id) < shortestID {
		return server.Wrongf("%q is too short for an id: want the whole id, or at least %d characters of its beginning", id, shortestID)
	}
	return nil
}

func (q DeadQuery) wants(id string, at time.Time) bool {
	return !at.Before(q.Since) &&
		(len(q.IDs) == 0 || slices.ContainsFunc(q.IDs, func(want string) bool { return strings.HasPrefix(id, want) }))
}

// eachDead calls f with each letter that q wants, of the sinks that the log knows.
func (d *desk) eachDead(ctx context.Context, q DeadQuery, f func(sink string, u deliver.Undelivered) error) error {
	for _, id := range q.IDs {
		if err := checkID(id); err != nil {
			return err
		}
	}
	stats, err := d.log.Stats(ctx)
	if err != nil {
		return err
	}
	known := false
	for _, c := range stats.Cursors {
		if q.Sink != "" && c.Name != q.Sink {
			continue
		}
		known = true
		err := d.eachState(ctx, c.Name, deliver.KindDead, func(c2 store.Change) error {
			var u deliver.Undelivered
			if err := json.Unmarshal(c2.Body, &u); err != nil {
				u = deliver.Undelivered{ID: c2.Key, Error: "this dead letter can not be read: " + err.Error()}
			}
			if !q.wants(u.ID, u.At) {
				return nil
			}
			return f(c.Name, u)
		})
		if err != nil {
			return err
		}
	}
	if !known && q.Sink != "" {
		return server.Wrongf("the log knows no sink %q", q.Sink)
	}
	return nil
}

func (d *desk) listDead(ctx context.Context, q DeadQuery) ([]DeadLetter, error) {
	letters := []DeadLetter{}
	err := d.eachDead(ctx, q, func(sink string, u deliver.Undelivered) error {
		l := DeadLetter{Sink: sink, Undelivered: u, Bytes: len(u.Report)}
		var head struct {
			Title    string          `json:"title"`
			Severity report.Severity `json:"severity"`
		}
		if json.Unmarshal(u.Report, &head) == nil { // what is no report has no title
			l.Title, l.Severity = head.Title, head.Severity
		}
		l.Report = nil
		letters = append(letters, l)
		return nil
	})
	slices.SortFunc(letters, func(a, b DeadLetter) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Sink, b.Sink), cmp.Compare(a.ID, b.ID))
	})
	return letters, err
}

// mostShown bounds what one answer shows of whole reports: each is many times as long as in the log.
const mostShown = 100

func (d *desk) showDead(ctx context.Context, q DeadQuery) ([]DeadLetter, error) {
	letters := []DeadLetter{}
	err := d.eachDead(ctx, q, func(sink string, u deliver.Undelivered) error {
		if len(letters) == mostShown {
			return server.Wrongf("these are more than %d dead letters: list them, and show fewer", mostShown)
		}
		l := DeadLetter{Sink: sink, Undelivered: u, Bytes: len(u.Report)}
		r := new(report.Report)
		if err := json.Unmarshal(u.Report, r); err == nil {
			r = d.expand(r)
			l.Title, l.Severity = r.Title, r.Severity
			if l.Report, err = report.Marshal(r); err != nil {
				return err
			}
		}
		letters = append(letters, l)
		return nil
	})
	if err == nil && len(letters) == 0 && len(q.IDs) > 0 {
		err = fmt.Errorf("no dead letter %s", strings.Join(q.IDs, ", "))
	}
	return letters, err
}

// retryDead puts dead letters back to their sinks.
func (a *App) retryDead(ctx context.Context, q DeadQuery) (DeadDone, error) {
	done, err := a.eachLetter(ctx, q, (*deliver.Worker).Retry)
	a.log.Info().Int("letters", done.Done).Int("left", done.Left).Msg("dead letters are tried again on command")
	return done, err
}

// dropDead forgets dead letters.
func (a *App) dropDead(ctx context.Context, q DeadQuery) (DeadDone, error) {
	return a.eachLetter(ctx, q, (*deliver.Worker).Drop)
}

// atOnce is how many letters are under way at a time: they share a sync of the disk.
const atOnce = 64

// eachLetter does something with each letter that q wants.
func (a *App) eachLetter(ctx context.Context, q DeadQuery, do func(*deliver.Worker, context.Context, string) error) (DeadDone, error) {
	var done, left, unreadable atomic.Int64
	result := func() DeadDone {
		return DeadDone{Done: int(done.Load()), Left: int(left.Load()), Unreadable: int(unreadable.Load())}
	}
	workers, err := a.workersFor(q.Sink)
	if err != nil {
		return result(), err
	}
	for _, w := range workers {
		q.Sink = w.name
		var ids []string // all of them first: what is done changes what there is
		if err := a.desk().eachDead(ctx, q, func(_ string, u deliver.Undelivered) error {
			ids = append(ids, u.ID)
			return nil
		}); err != nil {
			return result(), err
		}
		var all errgroup.Group
		all.SetLimit(atOnce)
		for _, id := range ids {
			all.Go(func() error {
				switch err := do(w.Worker, ctx, id); {
				case err == nil:
					done.Add(1)
				case errors.Is(err, deliver.ErrNoRoom):
					left.Add(1)
				case errors.Is(err, deliver.ErrNoReport):
					unreadable.Add(1)
				case !errors.Is(err, deliver.ErrNoDeadLetter): // or another command was faster
					return fmt.Errorf("sink %s: %w", w.name, err)
				}
				return nil
			})
		}
		if err := all.Wait(); err != nil {
			return result(), fmt.Errorf("after %d dead letters: %w", done.Load(), err)
		}
	}
	return result(), noneFound(q, result())
}

// noneFound is an error where somebody named letters that are not there.
func noneFound(q DeadQuery, done DeadDone) error {
	if done.Done+done.Left+done.Unreadable == 0 && len(q.IDs) > 0 {
		return fmt.Errorf("no dead letter %s", strings.Join(q.IDs, ", "))
	}
	return nil
}

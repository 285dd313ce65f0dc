package app

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/pkg/report"
)

// next is what a person would ask after the last outcome of a report at a sink: why, and what tells of it.
func (d *desk) next(ctx context.Context, sink string, last SinkOutcome, r *report.Report) (string, error) {
	w := d.workerOf(sink)
	switch deliver.Outcome(last.Result) {
	case deliver.Grouped:
		return d.counted(ctx, sink, last.Detail)
	case deliver.Filtered:
		if note := d.unwanted(sink, r); note != "" || w == nil {
			return note, nil
		}
		return "the sink's when wants it now, and did not then", nil
	case deliver.Silenced, deliver.RateLimited:
		if w == nil {
			return "", nil
		}
		note := fmt.Sprintf("a report tells the sink how many were withheld, %s after the first", w.Policy.SuppressionReport)
		if id := deliver.SilencedBy(last.Detail); d.inForce(id) {
			note += ", or when the silence ends; to end it now: filelessd silence expire " + id
		}
		return note, nil
	}
	return "", nil
}

func (d *desk) inForce(silence string) bool {
	return slices.ContainsFunc(d.live.silences.List(), func(s deliver.Silence) bool {
		return s.ID == silence && s.Active(time.Now())
	})
}

// unwanted says that the sink's when does not want a report, and what it is.
func (d *desk) unwanted(sink string, r *report.Report) string {
	if w := d.workerOf(sink); w != nil {
		if wants, err := w.When.Report(r); err == nil && !wants {
			return "the sink's when does not want it: " + w.When.String()
		}
	}
	return ""
}

// counted says what became of the summary that counts a report.
func (d *desk) counted(ctx context.Context, sink, detail string) (string, error) {
	key, summary := deliver.CountedIn(detail)
	w := d.workerOf(sink)
	if summary == "" || w == nil {
		return "", nil
	}
	g, ok, err := w.Group(ctx, key)
	if err != nil {
		return "", err
	}
	if ok && g.Summary == summary {
		return fmt.Sprintf("the summary is due at %s and counts %d so far", g.Due.UTC().Format("2006-01-02 15:04:05Z"), g.Held), nil
	}
	p, err := w.Find(ctx, summary, 0)
	switch {
	case err != nil:
		return "", err
	case p.State == deliver.StatePassed:
		return "the summary has gone out", nil
	case p.State == deliver.StateDead:
		return "the summary is a dead letter", nil
	}
	return "the summary is on its way: " + p.State, nil
}

// passed is what can be said of a report that a sink passed with no outcome kept: one from before
// outcomes were, or from before the sink's time.
func (d *desk) passed(sink string, r *report.Report) string {
	if note := d.unwanted(sink, r); note != "" {
		return note
	}
	return "the sink has passed it, or began behind it; nothing is kept of how"
}

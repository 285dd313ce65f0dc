package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
)

// Reports that a worker makes itself, summaries and suppressions, are no records of the log: they
// are about what one sink was not told. What they count, and they themselves, are kept in the same
// settlement, and only then they are delivered: so they say the same after a crash, under the same
// ID, and count nothing twice. From then on they are treated as records are.

const (
	kindMade = "made"
	// mostMade is how many may be under way. While there are more, and while the sink takes nothing
	// (but see mayMake), groups go on counting.
	mostMade = 32
)

// makeReports makes the reports that are due.
func (w *Worker) makeReports(now time.Time) {
	w.groups.forget(now)
	for w.mayMake() {
		g := w.dueGroup()
		if g == nil || g.Held.Due.After(now) || !w.limit.take(now) {
			break
		}
		w.make(w.summary(g, now), g, now)
	}
	if !w.mayMake() || w.telling != nil {
		return
	}
	if due := w.withheld.due(w.Policy.SuppressionReport, w.Silences); !due.IsZero() && !due.After(now) {
		r := w.suppressionReport(now)
		w.withheld.told(w.Silences)
		w.telling = w.make(r, nil, now)
	}
}

// mayMake reports whether another report may be made. While the sink takes nothing that is only one to
// try it with, when there is nothing else: what was tried for too long is given up, and what repeats
// that is only counted, so that the sink would never be tried again.
func (w *Worker) mayMake() bool {
	if w.breaker.open && len(w.queue)+len(w.made)+len(w.parked) > 0 {
		return false
	}
	return !w.draining && len(w.made) < mostMade
}

// dueGroup returns the group whose summary is due first, nil for none.
func (w *Worker) dueGroup() *group {
	if len(w.groups.due) == 0 {
		return nil
	}
	return w.groups.due[0]
}

// nextMade is when the next report is to be made; zero for never.
func (w *Worker) nextMade(now time.Time) (due time.Time) {
	if !w.mayMake() {
		return time.Time{}
	}
	if w.telling == nil {
		due = w.withheld.due(w.Policy.SuppressionReport, w.Silences)
	}
	if g := w.dueGroup(); g != nil {
		at := g.Held.Due
		if room := now.Add(w.limit.wait(now)); room.After(at) {
			at = room
		}
		if due.IsZero() || at.Before(due) {
			due = at
		}
	}
	return due
}

// make takes up a report. It goes out once it is on the disk.
func (w *Worker) make(r *report.Report, g *group, now time.Time) *item {
	body, err := report.Marshal(r)
	if err != nil {
		w.Logger.Error().Err(err).Str("id", r.ID).Msg("a report that filelessd made can not be kept")
	}
	i := &item{
		record: store.Record{ID: r.ID, Time: now, Body: body}, report: r, about: r.ID, chain: r.ID,
		made: true, state: unsaved, ready: now,
	}
	if g != nil {
		w.groups.told(g)
		i.group, i.chain = g, g.key
	}
	w.made = append(w.made, i)
	u := undelivered(i.record, 0, time.Time{}, time.Time{}, nil)
	w.remember(kindMade, &u)
	w.unsaved = append(w.unsaved, i)
	if !w.wantsMade(r) {
		w.Metrics.count(w.Name, Filtered)
		i.state = unwanted
	}
	return i
}

// wantsMade asks when about a report that stands for others. They were let through, so it is let
// through too: else a sink that wants high severities would not hear what was withheld from it. But
// an expression that asks for the kind decides that itself.
func (w *Worker) wantsMade(r *report.Report) bool {
	return !stands(r) || !w.When.Reads("kind") || w.wants(r)
}

// saved lets the reports go that are on the disk now.
func (w *Worker) saved(made []*item) {
	for _, i := range made {
		wanted := i.state == unsaved
		i.state = waiting
		w.chains[i.chain] = append(w.chains[i.chain], i)
		if !wanted {
			w.close(i, Filtered)
		}
	}
}

// closeMade forgets a report that was delivered, or is kept elsewhere.
func (w *Worker) closeMade(i *item) {
	w.changes = append(w.changes, store.Change{Kind: kindMade, Key: i.record.ID})
	w.made = slices.DeleteFunc(slices.Clone(w.made), func(m *item) bool { return m == i }) // somebody may range over it
	if i.group != nil {
		w.groups.summaryEnded(i.group)
	}
	if w.telling == i {
		w.telling = nil
	}
}

// restoreMade takes up a report again that was not delivered before the last end.
func (w *Worker) restoreMade(c store.Change) {
	var u Undelivered
	r := new(report.Report)
	err := json.Unmarshal(c.Body, &u)
	if err == nil {
		err = json.Unmarshal(u.Report, r)
	}
	if err != nil {
		w.Logger.Error().Err(err).Str("id", c.Key).Msg("a summary can not be read; it stays where it is")
		return
	}
	i := &item{
		record: store.Record{ID: u.ID, Time: u.Time, Body: u.Report}, report: r, about: u.ID, chain: u.ID,
		made: true, state: waiting,
	}
	switch {
	case r.Kind == report.KindSuppression:
		w.telling = i
	case r.Group != nil:
		if g := w.groups.byKey[r.Group.Key]; g != nil {
			g.telling = true
			i.group, i.chain = g, g.key
		}
	}
	w.made = append(w.made, i)
	w.chains[i.chain] = append(w.chains[i.chain], i)
}

// recallTimeout bounds the look at the log for a summary's first member.
const recallTimeout = 2 * time.Second

// recall reads the first of what is held from the log; nil if it is not there any more.
func (w *Worker) recall(h *held) *report.Report {
	ctx, cancel := context.WithTimeout(context.Background(), recallTimeout)
	defer cancel()
	records, err := w.Log.Read(ctx, h.Seq-1, 1)
	if err != nil || len(records) == 0 || records[0].ID != h.First {
		return nil
	}
	r := new(report.Report) // of its own: the log's is shared
	if err := json.Unmarshal(records[0].Body, r); err != nil {
		return nil
	}
	return r
}

// summaryID is that of the summary that will tell of what a group holds.
func (w *Worker) summaryID(g *group) string {
	return madeID(report.KindSummary, w.Name, g.key, g.Held.First)
}

// summary tells of what a group holds. The event and its analysis are those of the first member.
func (w *Worker) summary(g *group, now time.Time) *report.Report {
	h := g.Held
	r := w.recall(h)
	if r == nil {
		r = &report.Report{
			Technique: g.Technique, Title: "execution by " + string(g.Technique), Summary: "It is no longer in the log.",
			Analysis: report.Analysis{Version: w.Version}, SchemaVersion: report.SchemaVersion,
		}
	}
	r.ID, r.Kind, r.CreatedAt, r.Severity = w.summaryID(g), report.KindSummary, now.UTC().Round(0), h.Severity
	r.About = []string{g.key}
	r.Group = &report.Group{
		Key: g.key, Count: h.Count, Rules: slices.Clone(g.Rules), FirstTime: h.FirstTime, LastTime: h.LastTime,
		Hosts: h.Hosts, Containers: h.Containers,
	}
	r.Title = fmt.Sprintf("%s: %s", more(h.Count), r.Title)
	r.Summary = fmt.Sprintf("%s like one that sink %s was told of came between %s and %s UTC%s%s: of the same technique and command line, "+
		"%s, below the same parents, but for numbers and generated names. "+
		"Each of them is in the log under its own id. The first of them, which this report shows, is %s: %s",
		more(h.Count), w.Name, h.FirstTime.UTC().Format(time.DateTime), h.LastTime.UTC().Format(time.DateTime),
		named(" on", h.Hosts, "hosts"), named(" in", h.Containers, "containers"), h.where(), h.First, r.Summary)
	return r
}

// where is what the members have in common of where they ran.
func (h *held) where() string {
	switch {
	case len(h.Hosts) < 2:
		return "on the same host or from the same image"
	case len(h.Containers) == 0:
		return "on many hosts"
	}
	return "from the same image, or on many hosts"
}

func more(n int) string {
	if n == 1 {
		return "1 more alert"
	}
	return fmt.Sprintf("%d more alerts", n)
}

// named says how many there are, if that is more than one.
func named(before string, names []string, what string) string {
	switch {
	case len(names) < 2:
		return ""
	case len(names) >= mostNamed:
		return fmt.Sprintf("%s %d %s or more", before, len(names), what)
	default:
		return fmt.Sprintf("%s %d %s", before, len(names), what)
	}
}

package deliver

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
)

const (
	kindSuppressed = "suppressed"
	// byRateLimit is the key of what the rate limit withheld; the others are IDs of silences.
	byRateLimit = "rate_limit"
)

// tally is what a silence, or the rate limit, withheld from a sink. It is kept with the cursor.
type tally struct {
	By       string          `json:"by"` // in words
	Count    int             `json:"count"`
	Total    uint64          `json:"total"`    // with what was told of before
	FirstID  string          `json:"first_id"` // of the first of Count
	First    time.Time       `json:"first"`    // when that was withheld
	Last     time.Time       `json:"last"`
	What     map[string]int  `json:"what"` // techniques, or kinds of what is no alert
	Severity report.Severity `json:"severity"`
}

// withheld are the tallies of a sink.
type withheld struct {
	tallies map[string]*tally
	dirty   map[string]bool
}

func newWithheld() withheld {
	return withheld{tallies: map[string]*tally{}, dirty: map[string]bool{}}
}

// restore takes back what was kept, unless it belongs to a silence that is forgotten.
func (w *withheld) restore(c store.Change, silences *Silences) error {
	t := new(tally)
	if err := json.Unmarshal(c.Body, t); err != nil {
		return err
	}
	if t.What == nil {
		t.What = map[string]int{}
	}
	t.First = earlier(t.First, time.Now())
	w.tallies[c.Key] = t
	if c.Key == byRateLimit {
		return nil
	}
	silences.counted(c.Key, t.Total)
	if t.Count == 0 && silences.until(c.Key).IsZero() {
		delete(w.tallies, c.Key)
		w.dirty[c.Key] = true
	}
	return nil
}

// count adds a report that the cursor passes.
func (w *withheld) count(key, by string, r *report.Report, now time.Time) {
	t := w.tallies[key]
	if t == nil {
		t = &tally{What: map[string]int{}}
		w.tallies[key] = t
	}
	if t.Count == 0 {
		t.FirstID, t.First = r.ID, now
	}
	t.By = by
	t.Count++
	t.Total++
	t.Last = now
	t.Severity = higher(t.Severity, r.Severity)
	what := string(r.Technique)
	if what == "" {
		what = string(r.Kind)
	}
	if _, known := t.What[what]; known || len(t.What) < mostNamed {
		t.What[what]++
	}
	w.dirty[key] = true
}

// untold is since when something is withheld that no report told of; zero if there is nothing.
func (w *withheld) untold() (since time.Time) {
	for _, t := range w.tallies {
		if t.Count > 0 && (since.IsZero() || t.First.Before(since)) {
			since = t.First
		}
	}
	return since
}

// due is when a report should tell of it: after a while, or at once when a silence is over. Zero
// for never.
func (w *withheld) due(every time.Duration, silences *Silences) time.Time {
	since := w.untold()
	if since.IsZero() {
		return since
	}
	due := since.Add(every)
	for key, t := range w.tallies {
		if t.Count == 0 || key == byRateLimit {
			continue
		}
		if until := silences.until(key); until.Before(due) {
			due = since
			if until.After(since) {
				due = until
			}
		}
	}
	return due
}

// told begins anew, and drops what belongs to silences that are forgotten.
func (w *withheld) told(silences *Silences) {
	for key, t := range w.tallies {
		w.dirty[key] = true
		if key != byRateLimit && silences.until(key).IsZero() {
			delete(w.tallies, key)
			continue
		}
		*t = tally{By: t.By, Total: t.Total, What: map[string]int{}}
	}
}

func (w *withheld) changes() (changes []store.Change) {
	for _, key := range slices.Sorted(maps.Keys(w.dirty)) {
		change := store.Change{Kind: kindSuppressed, Key: key}
		if t := w.tallies[key]; t != nil {
			change.Body, _ = json.Marshal(t) //nolint:errchkjson // strings, numbers and times
		}
		changes = append(changes, change)
	}
	clear(w.dirty)
	return changes
}

// suppressionReport says what was withheld, how often, and by what.
func (w *Worker) suppressionReport(now time.Time) *report.Report {
	since := w.withheld.untold()
	total, last, firstID := 0, time.Time{}, ""
	var lines, about []string
	for _, key := range slices.Sorted(maps.Keys(w.withheld.tallies)) {
		t := w.withheld.tallies[key]
		if t.Count == 0 {
			continue
		}
		if total += t.Count; firstID == "" {
			firstID = t.FirstID // belongs to no other period
		}
		if t.Last.After(last) {
			last = t.Last
		}
		about = append(about, key)
		if len(lines) < mostNamed {
			lines = append(lines, fmt.Sprintf("%d by %s: %s; the highest severity was %s, and the first of them is %s.",
				t.Count, t.By, t.whatWas(), t.Severity, t.FirstID))
		}
	}
	text := fmt.Sprintf("Between %s and %s UTC these reports were withheld from sink %s. %s", since.UTC().Format(time.DateTime),
		last.UTC().Format(time.DateTime), w.Name, strings.Join(lines, " "))
	if more := len(about) - len(lines); more > 0 {
		text += fmt.Sprintf(" The others by %d more silences.", more)
	}
	return &report.Report{
		ID:   madeID(report.KindSuppression, w.Name, about[0], firstID),
		Kind: report.KindSuppression, SchemaVersion: report.SchemaVersion, CreatedAt: now.UTC().Round(0),
		Title:   fmt.Sprintf("%s withheld from sink %s", reports(total), w.Name),
		Summary: text + " Each of them is in the log under its own id.",
		Group:   &report.Group{Count: total, FirstTime: since, LastTime: last},
		About:   about, Severity: report.Info, Analysis: report.Analysis{Version: w.Version},
	}
}

func reports(n int) string {
	if n == 1 {
		return "1 report was"
	}
	return fmt.Sprintf("%d reports were", n)
}

// whatWas lists the techniques, the most frequent first.
func (t *tally) whatWas() string {
	names := slices.SortedFunc(maps.Keys(t.What), func(a, b string) int {
		if t.What[a] != t.What[b] {
			return t.What[b] - t.What[a]
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%d %s", t.What[name], report.Visible(name))
	}
	return strings.Join(names, ", ")
}

// words says who silenced, and why.
func (s *Silence) words() string {
	return fmt.Sprintf(silenceWord+"%s of %s until %s (%s)", s.ID, report.Visible(s.Author),
		s.Expires.UTC().Format(time.RFC3339), report.Visible(s.Reason))
}

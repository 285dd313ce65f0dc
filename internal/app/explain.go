package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/internal/server"
	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
)

// ExplainQuery names a report: by its ID or the beginning of it.
type ExplainQuery struct {
	ID string `json:"id"`
}

// Story is what became of one report.
type Story struct {
	ID        string             `json:"id"`
	Kind      report.Kind        `json:"kind"`
	Title     string             `json:"title"`
	Severity  report.Severity    `json:"severity"`
	Score     int                `json:"score"`
	Record    uint64             `json:"record"`   // its number in the log; 0 if it is not there any more
	Stored    time.Time          `json:"stored"`   // when the log had taken it
	Source    string             `json:"source"`   // that brought it first; empty for what filelessd made
	Received  time.Time          `json:"received"` // from there; when it was made, without a source
	Rule      string             `json:"rule"`
	Hostname  string             `json:"hostname"`
	Time      time.Time          `json:"time"` // of the event
	Technique report.Technique   `json:"technique"`
	Also      []report.Technique `json:"also"`
	Matched   []report.Finding   `json:"matched"` // the predicates that held, with the fields that show it
	About     []string           `json:"about"`
	Sinks     []SinkStory        `json:"sinks"`
}

// SinkStory is what became of the report at one sink.
type SinkStory struct {
	Sink      string           `json:"sink"`
	State     string           `json:"state"` // the last result, or where it stands
	Outcomes  []SinkOutcome    `json:"outcomes"`
	Pending   *deliver.Pending `json:"pending"`    // nil once the sink has passed it
	DownSince time.Time        `json:"down_since"` // zero while the sink takes reports
	Note      string           `json:"note"`       // what a person would ask next
}

// SinkOutcome is one thing that became of a report at a sink.
type SinkOutcome struct {
	At       time.Time `json:"at"`
	Attempts int       `json:"attempts"`
	Result   string    `json:"result"`
	Detail   string    `json:"detail"` // an answer, an error, what it was withheld by or counted in
}

func (d *desk) explain(ctx context.Context, q ExplainQuery) (*Story, error) {
	if err := checkID(q.ID); err != nil {
		return nil, err
	}
	record, err := d.lookUp(ctx, q.ID)
	if err != nil {
		return nil, err
	}
	var stored struct {
		Source string `json:"_source"`
	}
	r := new(report.Report)
	if err := errors.Join(json.Unmarshal(record.Body, &stored), json.Unmarshal(record.Body, r)); err != nil {
		return nil, fmt.Errorf("record %d is no report: %w", record.Seq, err)
	}
	r = d.base.Complete(r)
	s := &Story{
		ID: record.ID, Kind: r.Kind, Title: r.Title, Severity: r.Severity, Score: r.Score, Record: record.Seq, Stored: record.Time,
		Source: stored.Source, Received: r.CreatedAt, Technique: r.Technique, Also: notNil(r.Also), About: notNil(r.About),
		Matched: []report.Finding{}, Sinks: []SinkStory{},
	}
	if r.Event != nil {
		s.Rule, s.Hostname, s.Time = r.Event.Rule, r.Event.Hostname, r.Event.Time
	}
	for _, f := range r.Findings {
		if _, _, ok := d.base.Predicate(f.ID); ok {
			s.Matched = append(s.Matched, f)
		}
	}
	s.Sinks, err = d.sinkStories(ctx, record, r)
	return s, err
}

func notNil[T any](list []T) []T { return append([]T{}, list...) }

// lookUp finds the record of an ID. One that the log has forgotten may still be a dead letter; it has
// no number then.
func (d *desk) lookUp(ctx context.Context, id string) (store.Record, error) {
	ids, err := d.log.Find(ctx, id, 2)
	if err != nil {
		return store.Record{}, err
	}
	switch {
	case len(ids) > 1 && ids[0] != id && ids[1] != id:
		return store.Record{}, server.Wrongf("several reports begin with %s: %s, %s", id, ids[0], ids[1])
	case len(ids) > 1:
		return d.log.Get(ctx, id)
	case len(ids) == 1:
		return d.log.Get(ctx, ids[0])
	}
	var found store.Record
	err = d.eachDead(ctx, DeadQuery{IDs: []string{id}}, func(_ string, u deliver.Undelivered) error {
		if found.ID != "" && found.ID != u.ID {
			return server.Wrongf("several reports begin with %s: %s, %s", id, found.ID, u.ID)
		}
		found = store.Record{ID: u.ID, Time: u.Time, Body: u.Report}
		return nil
	})
	if err == nil && found.ID == "" {
		err = fmt.Errorf("no report %s: it never was in this log, or retention has removed it, or it is a summary or a "+
			"suppression, which are made for one sink and not kept: ask for an alert that it names", id)
	}
	return found, err
}

func (d *desk) sinkStories(ctx context.Context, record store.Record, r *report.Report) ([]SinkStory, error) {
	stats, err := d.log.Stats(ctx)
	if err != nil {
		return nil, err
	}
	history := map[string][]SinkOutcome{}
	outcomes, err := d.log.Outcomes(ctx, record.Seq)
	if err != nil {
		return nil, err
	}
	for _, o := range outcomes {
		history[o.Cursor] = append(history[o.Cursor], SinkOutcome{o.At, o.Attempts, o.Result, o.Detail})
	}
	stories := []SinkStory{}
	for _, c := range stats.Cursors {
		s := SinkStory{Sink: c.Name, Outcomes: notNil(history[c.Name])}
		pending, err := d.pending(ctx, c, record, &s)
		if err != nil {
			return nil, err
		}
		s.State = pending.State
		switch {
		case pending.State != deliver.StatePassed:
			s.Pending = &pending
			if pending.State == deliver.StateDead {
				s.Note = "it stays there until: filelessd deadletters retry --sink " + c.Name + " --id " + record.ID
			}
		case len(s.Outcomes) > 0:
			last := s.Outcomes[len(s.Outcomes)-1]
			s.State = last.Result
			if s.Note, err = d.next(ctx, c.Name, last, r); err != nil {
				return nil, err
			}
		default:
			s.Note = d.passed(c.Name, r)
		}
		stories = append(stories, s)
	}
	return stories, nil
}

// pending says where the report stands at a sink: as the worker knows, or else as it is in the log.
func (d *desk) pending(ctx context.Context, c store.CursorStats, record store.Record, s *SinkStory) (p deliver.Pending, err error) {
	w := d.workerOf(c.Name)
	if w != nil {
		if p, err = w.Find(ctx, record.ID, record.Seq); err != nil {
			return p, err
		}
		s.DownSince = w.Status().DownSince
	} else {
		p.State = deliver.StatePassed
		if record.Seq > c.Pos {
			p.State = deliver.StateQueued
			s.Note = "no daemon delivers to this sink now"
		}
	}
	if p.State == deliver.StateTried || p.State == deliver.StateFlying || p.State == deliver.StateQueued {
		return p, nil
	}
	for kind, state := range map[string]string{deliver.KindParked: deliver.StateParked, deliver.KindDead: deliver.StateDead} {
		kept, err := d.log.CursorState(ctx, c.Name, kind, record.ID, 1)
		if err != nil {
			return p, err
		}
		if len(kept) == 0 || kept[0].Key != record.ID {
			continue
		}
		var u deliver.Undelivered
		if w != nil && p.State != state || json.Unmarshal(kept[0].Body, &u) != nil {
			continue
		}
		p = deliver.Pending{
			State: state, Attempts: u.Attempts, First: u.Since, Last: u.At, Next: u.Next, Error: u.Error, Behind: p.Behind,
		}
	}
	return p, nil
}

func (d *desk) workerOf(sink string) *worker {
	if d.live == nil {
		return nil
	}
	return d.live.workers.of(sink)
}

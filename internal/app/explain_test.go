package app

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/server"
	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/event"
)

// TestExplain: one report at sinks that made different things of it.
func TestExplain(t *testing.T) {
	f := newFixture(t, "  hook: {type: falco_http, listen: '127.0.0.1:0'}")
	var id string
	for n := range 3 {
		e, err := event.Parse([]byte(shortMatch(n)), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := f.app.intake.handle(t.Context(), f.app.metrics.ofSource("hook"), []event.Event{e}); err != nil {
			t.Fatal(err)
		}
		if n == 1 {
			id = e.ID()
		}
	}
	f.waitFor("the reports", func() bool { return len(f.received()) == 3 })
	log := f.app.store
	record, err := log.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	f.waitFor("what became of it", func() bool {
		outcomes, err := log.Outcomes(t.Context(), record.Seq)
		return err == nil && len(outcomes) == 1
	})
	at := time.Now().UTC().Truncate(time.Microsecond)
	letter, err := json.Marshal(deliver.Undelivered{ID: id, Seq: record.Seq, Since: at, At: at, Attempts: 7, Error: "too bad", Report: record.Body})
	if err != nil {
		t.Fatal(err)
	}
	settle := func(cursor string, upTo uint64, outcomes []store.Outcome, changes ...store.Change) {
		t.Helper()
		if _, _, err := log.OpenCursor(t.Context(), cursor, store.StartOldest); err != nil {
			t.Fatal(err)
		}
		if err := log.Settle(t.Context(), cursor, store.Settlement{UpTo: upTo, Outcomes: outcomes, Changes: changes}); err != nil {
			t.Fatal(err)
		}
	}
	settle("delivered", 3, []store.Outcome{{Seq: record.Seq, At: at, Attempts: 3, Result: "delivered"}, {Seq: 1, At: at, Result: "filtered"}})
	settle("silenced", 3, []store.Outcome{{Seq: record.Seq, At: at, Result: "silenced", Detail: "silence 1234"}})
	settle("grouped", 3, []store.Outcome{{Seq: record.Seq, At: at, Result: "grouped", Detail: "summary 5678"}})
	settle("dead", 3, []store.Outcome{{Seq: record.Seq, At: at, Attempts: 7, Result: "dead", Detail: "too bad"}},
		store.Change{Kind: deliver.KindDead, Key: id, Body: letter})
	settle("behind", 1, nil)

	for _, given := range []string{id, id[:8]} {
		s, err := f.app.desk().explain(t.Context(), ExplainQuery{ID: given})
		if err != nil {
			t.Fatal(err)
		}
		if s.ID != id || s.Source != "hook" || s.Record != record.Seq || s.Rule != "r" || s.Technique != "memfd_exec" || s.Received.IsZero() {
			t.Errorf("%+v", s)
		}
		if len(s.Matched) == 0 || len(s.Matched[0].Evidence) == 0 || s.Matched[0].Statement == "" {
			t.Errorf("matched: %+v", s.Matched)
		}
		states, details := map[string]string{}, map[string]string{}
		for _, sink := range s.Sinks {
			states[sink.Sink] = sink.State
			for _, o := range sink.Outcomes {
				details[sink.Sink] += o.Detail
				if sink.Sink != "soc" && !o.At.Equal(at) {
					t.Errorf("%s: at %s, want %s", sink.Sink, o.At, at)
				}
			}
			if sink.Pending != nil {
				details[sink.Sink] += "; " + sink.Pending.Error
			}
		}
		if diff := cmp.Diff(map[string]string{
			"delivered": "delivered", "silenced": "silenced", "grouped": "grouped", "dead": deliver.StateDead,
			"behind": deliver.StateQueued, "soc": "delivered",
		}, states); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(map[string]string{
			"delivered": "", "silenced": "silence 1234", "grouped": "summary 5678", "dead": "too bad; too bad", "behind": "; ", "soc": "",
		}, details); diff != "" {
			t.Error(diff)
		}
	}
	for _, body := range f.raw() {
		if strings.Contains(body, "_source") {
			t.Errorf("the receiver got the log's own key: %s", body)
		}
	}
	if _, err := f.app.desk().explain(t.Context(), ExplainQuery{ID: strings.Repeat("0", 64)}); err == nil || server.IsWrong(err) {
		t.Errorf("of nothing: %v", err)
	}
}

// TestExplainForgotten: what the log has removed and a dead letter keeps; and beginnings that say too
// little.
func TestExplainForgotten(t *testing.T) {
	log, err := store.Open(t.Context(), t.TempDir(), store.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	base, err := knowledge.Load()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := log.OpenCursor(t.Context(), "soc", store.StartOldest); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"abcdefgh-1", "abcdefgh-2"} {
		body := `{"id":"` + id + `","kind":"alert","title":"a title","_source":"hook"}`
		letter, err := json.Marshal(deliver.Undelivered{ID: id, Error: "no", Report: json.RawMessage(body)})
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Settle(t.Context(), "soc", store.Settlement{Changes: []store.Change{{Kind: deliver.KindDead, Key: id, Body: letter}}}); err != nil {
			t.Fatal(err)
		}
	}
	d := &desk{log: log, base: base}
	s, err := d.explain(t.Context(), ExplainQuery{ID: "abcdefgh-2"})
	if err != nil || s.Record != 0 || s.Source != "hook" || len(s.Sinks) != 1 || s.Sinks[0].State != deliver.StateDead {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := d.explain(t.Context(), ExplainQuery{ID: "abcdefgh"}); !server.IsWrong(err) || !strings.Contains(err.Error(), "abcdefgh-1") {
		t.Errorf("%v", err)
	}
}

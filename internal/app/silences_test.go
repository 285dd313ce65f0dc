package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/server"
)

// memorySilences keeps silences in memory.
type memorySilences struct{ all []Silence }

func (m *memorySilences) Add(_ context.Context, matcher, author, reason string, expires time.Time) (string, error) {
	if len(m.all) == 2 {
		return "", errors.New("no disk")
	}
	id := []string{"abc1", "abc2"}[len(m.all)]
	m.all = append(m.all, Silence{ID: id, Matcher: matcher, Author: author, Reason: reason, Created: time.Now(), Expires: expires})
	return id, nil
}

func (m *memorySilences) Expire(_ context.Context, id string) error {
	for i := range m.all {
		if m.all[i].ID == id {
			m.all[i].Expires = time.Now()
		}
	}
	return nil
}

func (m *memorySilences) List() []Silence { return m.all }

// TestSilenceCalls: what is wrong with a silence is told apart from what is wrong with the disk, and one
// is found by its beginning.
func TestSilenceCalls(t *testing.T) {
	kept := new(memorySilences)
	calls := silenceCalls(kept)
	ask := func(command, request string) (string, error) {
		answer, err := calls[command](t.Context(), json.RawMessage(request))
		body, _ := json.Marshal(answer)
		return string(body), err
	}
	until := func(t time.Time) string {
		return fmt.Sprintf(`{"matcher":"kind == \"alert\"","author":"a","reason":"r","expires":%q}`, t.Format(time.RFC3339))
	}
	now := time.Now()
	good := until(now.Add(time.Hour))
	for _, c := range []struct {
		command, request string
		says             string
		wrong, fails     bool
	}{
		{CommandSilenceList, `{}`, `[]`, false, false},
		{CommandSilenceAdd, strings.Replace(good, `kind ==`, `knd ==`, 1), "knd", true, true},
		{CommandSilenceAdd, strings.Replace(good, `"a"`, `" "`, 1), "author", true, true},
		{CommandSilenceAdd, strings.Replace(good, `"r"`, `""`, 1), "reason", true, true},
		{CommandSilenceAdd, until(now.Add(-time.Hour)), "is over", true, true},
		{CommandSilenceAdd, until(now.AddDate(2, 0, 0)), "at most 366 days", true, true},
		{CommandSilenceAdd, strings.Replace(good, `"r"`, `"`+strings.Repeat("r", 2000)+`"`, 1), "at most 1000 bytes", true, true},
		{CommandSilenceAdd, `{"matcher":" "}`, "which reports", true, true},
		{CommandSilenceAdd, good, `"created":"` + now.Format("2006-"), false, false},
		{CommandSilenceAdd, good, `"id":"abc2"`, false, false},
		{CommandSilenceAdd, good, `no disk`, false, true},
		{CommandSilenceExpire, `{"id":"abc"}`, "2 silences", true, true},
		{CommandSilenceExpire, `{"id":""}`, "no silence", true, true},
		{CommandSilenceExpire, `{"id":"x"}`, "no silence", true, true},
		{CommandSilenceExpire, `{"id":"abc2"}`, `"id":"abc2"`, false, false},
		{CommandSilenceList, `{}`, `"reason":"r"`, false, false},
	} {
		said, err := ask(c.command, c.request)
		if err != nil {
			said = err.Error()
		}
		if !strings.Contains(said, c.says) || server.IsWrong(err) != c.wrong || (err != nil) != c.fails {
			t.Errorf("%s %s: %s, %v", c.command, c.request, said, err)
		}
		var ended Silence
		if c.command == CommandSilenceExpire && err == nil && (json.Unmarshal([]byte(said), &ended) != nil || ended.Active(time.Now())) {
			t.Errorf("the answer says that it is in force still: %s", said)
		}
	}
	if kept.all[1].Expires.After(time.Now()) || !kept.all[0].Expires.After(time.Now()) {
		t.Errorf("%+v", kept.all)
	}
}

package app

import (
	"context"
	"strings"
	"time"

	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/internal/server"
)

// Silence withholds the reports that its matcher is true of, from all sinks, until it expires.
type Silence = deliver.Silence

// openSilences keeps the daemon from starting only where the store does not answer: a silence that
// can not be read withholds nothing.
func (a *App) openSilences(ctx context.Context) error {
	silences, err := deliver.OpenSilences(ctx, a.store)
	if silences == nil {
		return err
	}
	if err != nil {
		a.log.Error().Err(err).Msg("some silences can not be read and are not in force")
	}
	a.silences = silences
	return nil
}

// silences are where they are kept.
type silences interface {
	Add(ctx context.Context, matcher, author, reason string, expires time.Time) (id string, err error)
	Expire(ctx context.Context, id string) error
	List() []Silence
}

// silenceCalls are the commands about silences.
func silenceCalls(s silences) map[string]server.Call {
	return map[string]server.Call{
		CommandSilenceAdd: server.Answer(func(ctx context.Context, asked Silence) (Silence, error) {
			if err := asked.Check(time.Now()); err != nil { // what Add says beside that is not the operator's to mend
				return Silence{}, server.Wrong(err)
			}
			id, err := s.Add(ctx, asked.Matcher, asked.Author, asked.Reason, asked.Expires)
			if err != nil {
				return Silence{}, err
			}
			return silenceOf(s.List(), id)
		}),
		CommandSilenceList: server.Answer(func(context.Context, Nothing) ([]Silence, error) {
			return append([]Silence{}, s.List()...), nil
		}),
		CommandSilenceExpire: server.Answer(func(ctx context.Context, asked Silence) (Silence, error) {
			one, err := silenceOf(s.List(), asked.ID)
			if err != nil {
				return Silence{}, err
			}
			if err := s.Expire(ctx, one.ID); err != nil {
				return Silence{}, err
			}
			return silenceOf(s.List(), one.ID)
		}),
	}
}

// silenceOf finds a silence by its ID or the beginning of it.
func silenceOf(all []Silence, id string) (found Silence, err error) {
	n := 0
	for _, s := range all {
		if s.ID == id {
			return s, nil
		}
		if id != "" && strings.HasPrefix(s.ID, id) {
			found = s
			n++
		}
	}
	switch n {
	case 0:
		return Silence{}, server.Wrongf("no silence %q", id)
	case 1:
		return found, nil
	}
	return Silence{}, server.Wrongf("%d silences begin with %q", n, id)
}

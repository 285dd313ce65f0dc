package deliver

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/internal/when"
	"github.com/filelessd/filelessd/pkg/report"
)

const (
	silenceOwner = "silences"
	kindSilence  = "silence"
	// mostSilences bounds those in force: each is asked about every report.
	mostSilences = 100
	// longestSilence keeps one from being for ever.
	longestSilence = 366 * 24 * time.Hour
	// keepSilence is how long one stays listed after its end.
	keepSilence = 7 * 24 * time.Hour
	longestText = 1000 // bytes of an author or a reason
)

// Silence withholds the reports that Matcher is true of, from all sinks, until Expires.
type Silence struct {
	ID      string    `json:"id"`
	Matcher string    `json:"matcher"` // in the language of when
	Author  string    `json:"author"`
	Reason  string    `json:"reason"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	// Withheld is how many reports it withheld so far, those of all sinks together.
	Withheld uint64 `json:"withheld"`
}

// Active reports whether s is in force.
func (s Silence) Active(now time.Time) bool { return now.Before(s.Expires) }

// StateStore keeps state that belongs to no sink.
type StateStore interface {
	LoadState(ctx context.Context, owner string) ([]store.Change, error)
	SaveState(ctx context.Context, owner string, changes ...store.Change) error
}

// Silences are those of all sinks. They are in the store before they are in force. All methods may
// be called from several goroutines.
type Silences struct {
	store StateStore

	change sync.Mutex // held by who changes something, also while it is written

	mu       sync.RWMutex
	all      []silence // by their age
	withheld map[string]uint64
	changed  chan struct{} // closed at the next change
}

type silence struct {
	Silence
	program *when.Program
}

// OpenSilences reads the silences that were added before. One that can not be read is an error beside
// the others: reports are delivered then that were to be withheld. Without an answer from the store
// there are no Silences.
func OpenSilences(ctx context.Context, s StateStore) (*Silences, error) {
	silences := &Silences{store: s, withheld: map[string]uint64{}, changed: make(chan struct{})}
	state, err := s.LoadState(ctx, silenceOwner)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, c := range state {
		one := silence{}
		if err := json.Unmarshal(c.Body, &one.Silence); err != nil {
			errs = append(errs, fmt.Errorf("silence %.64q: %w", c.Key, err))
			continue
		}
		if one.program, err = when.Compile(one.Matcher); err != nil {
			errs = append(errs, fmt.Errorf("silence %s: %w", one.ID, err))
			continue
		}
		silences.all = append(silences.all, one)
	}
	slices.SortFunc(silences.all, func(a, b silence) int { return a.Created.Compare(b.Created) })
	return silences, errors.Join(errs...)
}

// Check says what is wrong with a silence that somebody asks for. The error of a matcher that does not
// compile is a *when.Error.
func (s Silence) Check(now time.Time) error {
	_, err := s.compile(now)
	return err
}

func (s Silence) compile(now time.Time) (*when.Program, error) {
	if strings.TrimSpace(s.Matcher) == "" {
		return nil, errors.New("matcher: missing: which reports are to be withheld?")
	}
	program, err := when.Compile(s.Matcher)
	switch {
	case err != nil:
		return nil, fmt.Errorf("matcher: %w", err)
	case strings.TrimSpace(s.Author) == "":
		return nil, errors.New("author: missing: who withholds them?")
	case strings.TrimSpace(s.Reason) == "":
		return nil, errors.New("reason: missing: why are they withheld?")
	case len(s.Author) > longestText || len(s.Reason) > longestText:
		return nil, fmt.Errorf("author and reason: want at most %d bytes each", longestText)
	case !s.Expires.After(now):
		return nil, fmt.Errorf("expires: %s is over", s.Expires.UTC().Format(time.RFC3339))
	case s.Expires.Sub(now) > longestSilence:
		return nil, fmt.Errorf("expires: want at most %d days from now", longestSilence/(24*time.Hour))
	}
	return program, nil
}

// Add puts a silence in force, for all sinks, and returns its ID once it is on the disk.
func (s *Silences) Add(ctx context.Context, matcher, author, reason string, expires time.Time) (id string, err error) {
	now := time.Now().UTC()
	one := silence{Silence: Silence{
		ID: newSilenceID(), Matcher: matcher, Author: author, Reason: reason, Created: now, Expires: expires.UTC(),
	}}
	if one.program, err = one.compile(now); err != nil {
		return "", err
	}

	s.change.Lock()
	defer s.change.Unlock()
	kept, removed := s.tidied(now)
	if inForce(kept, now) >= mostSilences {
		return "", fmt.Errorf("there are %d silences already: expire one first", mostSilences)
	}
	return one.ID, s.save(ctx, append(kept, one), append(removed, change(one))...)
}

// Expire ends a silence now. It stays listed for a while.
func (s *Silences) Expire(ctx context.Context, id string) error {
	s.change.Lock()
	defer s.change.Unlock()
	now := time.Now().UTC()
	kept, removed := s.tidied(now)
	for i := range kept {
		if kept[i].ID != id {
			continue
		}
		if !kept[i].Active(now) {
			return fmt.Errorf("silence %s ended at %s", id, kept[i].Expires.Format(time.RFC3339))
		}
		kept[i].Expires = now
		return s.save(ctx, kept, append(removed, change(kept[i]))...)
	}
	return fmt.Errorf("%w %.64q", ErrNoSilence, id)
}

// ErrNoSilence says that there is none of that ID.
var ErrNoSilence = errors.New("no silence")

// List returns the silences in force, and those that ended in the last seven days, by their age.
func (s *Silences) List() []Silence {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]Silence, 0, len(s.all))
	for _, one := range s.all {
		if time.Since(one.Expires) > keepSilence {
			continue
		}
		one.Withheld = s.withheld[one.ID]
		list = append(list, one.Silence)
	}
	return list
}

func newSilenceID() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func inForce(all []silence, now time.Time) (n int) {
	for _, one := range all {
		if one.Active(now) {
			n++
		}
	}
	return n
}

// tidied returns a copy of the silences without those that ended long ago, and their removal.
func (s *Silences) tidied(now time.Time) (kept []silence, removed []store.Change) {
	for _, one := range s.all { // only changed by who holds s.change
		if now.Sub(one.Expires) > keepSilence {
			removed = append(removed, store.Change{Kind: kindSilence, Key: one.ID})
			continue
		}
		kept = append(kept, one)
	}
	return kept, removed
}

func change(s silence) store.Change {
	s.Withheld = 0                     // each sink keeps its own count
	body, _ := json.Marshal(s.Silence) //nolint:errchkjson // strings and times in this millennium
	return store.Change{Kind: kindSilence, Key: s.ID, Body: body}
}

// save does not give up with ctx: it would not be known then what the disk has.
func (s *Silences) save(ctx context.Context, all []silence, changes ...store.Change) error {
	if err := s.store.SaveState(context.WithoutCancel(ctx), silenceOwner, changes...); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = all
	close(s.changed)
	s.changed = make(chan struct{})
	return nil
}

// match returns the first silence in force that withholds r, nil for none. One whose matcher fails
// on r does not withhold it: a report too many is better than one too few. What filelessd says of
// itself is only withheld by a matcher that asks for the kind.
func (s *Silences) match(r *report.Report, now time.Time) (found *Silence, err error) {
	if s == nil {
		return nil, nil
	}
	s.mu.RLock()
	all := s.all // never changed in place
	s.mu.RUnlock()
	for i := range all {
		one := &all[i]
		if !one.Active(now) || r.Event == nil && !one.program.Reads("kind") {
			continue
		}
		matches, failure := one.program.Report(r)
		if failure != nil {
			err = fmt.Errorf("silence %s: %w", one.ID, failure)
			continue
		}
		if matches {
			return &one.Silence, err
		}
	}
	return nil, err
}

// until is when a silence ends: zero if there is none of that ID.
func (s *Silences) until(id string) time.Time {
	if s == nil {
		return time.Time{}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, one := range s.all {
		if one.ID == id {
			return one.Expires
		}
	}
	return time.Time{}
}

// changes returns a channel that is closed at the next change.
func (s *Silences) changes() <-chan struct{} {
	if s == nil {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.changed
}

func (s *Silences) counted(id string, n uint64) {
	if s == nil || n == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.withheld[id] += n
}

package deliver

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/filelessd/filelessd/internal/store"
)

// KindDead is the kind of state that dead letters are kept as, each an Undelivered under its ID.
const KindDead = "dead"

// deadBytes is the room of the dead letters of one sink, if nothing else is said: some thousands of
// usual ones. All of them are read when the cursor is opened.
const deadBytes = 32 << 20

// deadLetters is what is in the log of the dead letters of one sink.
type deadLetters struct {
	letters []deadLetter // the oldest first
	bytes   int
}

type deadLetter struct {
	id    string
	seq   uint64
	bytes int
}

func (d *deadLetters) restore(c store.Change) {
	var u struct {
		Seq uint64 `json:"seq"`
	}
	// What can not be read still takes room; being without a number it is the first to go.
	_ = json.Unmarshal(c.Body, &u)
	d.letters = append(d.letters, deadLetter{c.Key, u.Seq, len(c.Body)})
	d.bytes += len(c.Body)
}

func (d *deadLetters) inOrder() {
	slices.SortFunc(d.letters, func(a, b deadLetter) int { return cmp.Compare(a.seq, b.seq) })
}

// add takes the place of an earlier letter about the same report: a crash can have one written twice.
func (d *deadLetters) add(l deadLetter) {
	d.bytes += l.bytes
	i := slices.IndexFunc(d.letters, func(before deadLetter) bool { return before.id == l.id })
	if i >= 0 {
		d.bytes -= d.letters[i].bytes
		d.letters[i] = l
		return
	}
	d.letters = append(d.letters, l)
}

// bury puts a report among the dead letters: as soon as the cursor passes it, if it is in the window.
func (w *Worker) bury(u Undelivered, i *item) {
	u.Next = time.Time{}
	if i != nil {
		u.Thread = w.threadOf(i)
	}
	w.Metrics.count(w.Name, Dead)
	if i != nil && !i.made {
		i.dead = &u
		return
	}
	w.addDead(&u)
}

func (w *Worker) addDead(u *Undelivered) {
	w.dead.add(deadLetter{u.ID, u.Seq, w.remember(KindDead, u)})
	w.trimDead()
}

// trimDead removes the oldest dead letters beyond their room. The log keeps them out of what it
// prunes, so a receiver that refuses all would take the room of the other sinks' reports, and in the
// end the disk.
func (w *Worker) trimDead() {
	room := cmp.Or(w.DeadBytes, deadBytes)
	n := 0
	for ; w.dead.bytes > room && n < len(w.dead.letters)-1; n++ {
		l := w.dead.letters[n]
		w.dead.bytes -= l.bytes
		w.changes = append(w.changes, store.Change{Kind: KindDead, Key: l.id})
		w.ended(&Undelivered{ID: l.id, Seq: l.seq}, Dropped, errTrimmed)
		w.Logger.Error().Str("id", l.id).Msg("too many dead letters; the oldest is lost")
		if w.Dropped != nil {
			w.Dropped()
		}
	}
	w.dead.letters = slices.Delete(w.dead.letters, 0, n)
	w.Metrics.dead(w.Name, len(w.dead.letters))
}

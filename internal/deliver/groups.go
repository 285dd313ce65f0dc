package deliver

import (
	"container/heap"
	"container/list"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
)

// groups are those of one sink.
type groups struct {
	Grouping
	byKey    map[string]*group
	idle     *list.List // those with nothing to tell; the one that was quiet for longest first
	due      dueHeap    // those with something to tell, and no summary under way
	dirty    []*group
	gone     []string // keys of groups that were forgotten
	named    int      // what the names of all groups take
	instants *instants
}

func newGroups(g Grouping) *groups {
	return &groups{Grouping: g, byKey: map[string]*group{}, idle: list.New(), instants: newInstants()}
}

// take finds the group of an alert, or begins one, and says whether the alert is held back. shape is
// the group of its shape if that has to learn of the host. Without a group, since there are too many,
// the alert goes out.
func (gs *groups) take(r *report.Report, now time.Time) (g, shape *group, hold bool) {
	gs.forget(now)
	host := hostOf(r)
	g = gs.byKey[gs.instants.group(r)]
	if g == nil {
		key := KeyOf(r)
		if g = gs.byKey[key.Group]; g == nil {
			return gs.begin(r, key, host, now)
		}
	}
	gs.instants.add(r, g.key)
	gs.holdOn(g)
	return g, nil, !g.isWorse(r) && !g.isNews(host)
}

// begin starts a group with its first alert, unless its shape is known from so many hosts that
// another one is no news.
func (gs *groups) begin(r *report.Report, key Key, host string, now time.Time) (g, shape *group, hold bool) {
	if !gs.makeRoom() {
		return nil, nil, false
	}
	if key.Shape != key.Group {
		if shape = gs.byKey[key.Shape]; shape == nil {
			shape = gs.add(key.Shape, now)
		}
		gs.holdOn(shape)
		if !shape.knows(host) && !shape.isNews(host) {
			gs.instants.add(r, shape.key)
			return shape, nil, !shape.isWorse(r)
		}
	}
	g = gs.add(key.Group, now)
	gs.instants.add(r, g.key)
	gs.holdOn(g)
	return g, shape, false
}

// tell notes that an alert goes out, so that those behind it are repeats. One that the rate limit
// withholds does not: the sink knows nothing of it.
func (gs *groups) tell(r *report.Report, told ...*group) {
	for _, g := range told {
		if g != nil {
			g.tells(r)
		}
	}
}

// knows reports whether there is a group that r may be counted in.
func (gs *groups) knows(r *report.Report) bool {
	key := KeyOf(r)
	return gs.byKey[key.Group] != nil || gs.byKey[key.Shape] != nil
}

func (gs *groups) add(key string, now time.Time) *group {
	g := &group{key: key, ahead: nothing, at: -1}
	g.Seen = now
	gs.byKey[key] = g
	return g
}

// holdOn keeps a group from being forgotten while a record in the window needs it.
func (gs *groups) holdOn(g *group) {
	g.inWindow++
	gs.place(g)
}

// place puts a group where it belongs, after any change.
func (gs *groups) place(g *group) {
	idle := g.Held == nil && !g.telling && g.inWindow == 0
	switch {
	case idle && g.idle == nil:
		g.idle = gs.idle.PushBack(g)
	case !idle && g.idle != nil:
		gs.idle.Remove(g.idle)
		g.idle = nil
	}
	due := g.Held != nil && !g.telling
	switch {
	case due && g.at < 0:
		heap.Push(&gs.due, g)
	case !due && g.at >= 0:
		heap.Remove(&gs.due, g.at)
	}
}

func (gs *groups) touch(g *group) {
	gs.reckon(g)
	if !g.dirty {
		g.dirty = true
		gs.dirty = append(gs.dirty, g)
	}
}

// reckon counts what the names of g take.
func (gs *groups) reckon(g *group) {
	size := g.size()
	gs.named += size - g.named
	g.named = size
}

// passed notes that the cursor passes a record of the group. Only now it counts.
func (gs *groups) passed(g *group, r *report.Report, seq uint64, o Outcome, now time.Time) {
	g.inWindow--
	if o != Grouped && o != RateLimited {
		g.told(r)
	}
	if g.inWindow == 0 {
		g.ahead = nothing
	}
	if g.Technique == "" {
		g.Technique = report.Technique(bounded(string(r.Technique), 64))
	}
	room := gs.named < mostNames
	if room {
		g.Rules = name(g.Rules, r.Event.Rule)
	}
	if o == Grouped {
		if now.Sub(g.Seen) > gs.gather(g.Summaries) && g.Held == nil {
			g.Summaries = 0
		}
		if g.Held == nil {
			g.Held = &held{First: r.ID, Seq: seq, Due: now.Add(gs.gather(g.Summaries))}
		}
		g.Held.count(r, room)
	}
	g.Seen = now
	gs.touch(g)
	gs.place(g)
}

// told begins a summary: what it counts is no longer held.
func (gs *groups) told(g *group) {
	g.Held = nil
	g.Summaries++
	g.telling = true
	gs.touch(g)
	gs.place(g)
}

// summaryEnded notes that the summary under way was delivered, or set aside.
func (gs *groups) summaryEnded(g *group) {
	g.telling = false
	gs.place(g)
}

// forget drops the groups that were quiet for long.
func (gs *groups) forget(now time.Time) {
	for e := gs.idle.Front(); e != nil; e = gs.idle.Front() {
		g, _ := e.Value.(*group)
		if now.Sub(g.Seen) < gs.forgetAfter() {
			return
		}
		gs.drop(g)
	}
}

// makeRoom drops the groups that were quiet for longest, until two more fit. It reports whether they
// do: groups with something to tell are not dropped.
func (gs *groups) makeRoom() bool {
	for len(gs.byKey) > mostGroups-2 {
		e := gs.idle.Front()
		if e == nil {
			return false
		}
		g, _ := e.Value.(*group)
		gs.drop(g)
	}
	return true
}

func (gs *groups) drop(g *group) {
	gs.idle.Remove(g.idle)
	delete(gs.byKey, g.key)
	gs.named -= g.named
	gs.gone = append(gs.gone, g.key)
	if g.dirty {
		gs.dirty = slices.DeleteFunc(gs.dirty, func(d *group) bool { return d == g })
	}
}

// changes returns what has to be kept of the groups, in the order in which it came about.
func (gs *groups) changes() (changes []store.Change, err error) {
	for _, key := range gs.gone {
		changes = append(changes, store.Change{Kind: kindGroup, Key: key})
	}
	gs.gone = nil
	for _, g := range gs.dirty {
		g.dirty = false
		body, marshalErr := json.Marshal(g.groupState)
		if marshalErr != nil {
			err = errors.Join(err, fmt.Errorf("group %s: %w", g.key, marshalErr))
			continue
		}
		changes = append(changes, store.Change{Kind: kindGroup, Key: g.key, Body: body})
	}
	gs.dirty = gs.dirty[:0]
	return changes, err
}

func (gs *groups) unsaved() bool { return len(gs.gone)+len(gs.dirty) > 0 }

// earlier returns the first of two times. What was kept by a clock that was set back since can lie in years to
// come: nothing waits longer for that than it would have waited anyway.
func earlier(a, b time.Time) time.Time {
	if a.After(b) {
		return b
	}
	return a
}

// restore takes back what was kept. ready puts the groups in order once all are there.
func (gs *groups) restore(c store.Change) error {
	g := &group{key: c.Key, ahead: nothing, at: -1}
	if err := json.Unmarshal(c.Body, &g.groupState); err != nil {
		return err
	}
	now := time.Now()
	g.Seen = earlier(g.Seen, now)
	if g.Held != nil {
		g.Held.Due = earlier(g.Held.Due, now.Add(gs.gather(g.Summaries)))
	}
	gs.byKey[g.key] = g
	gs.reckon(g)
	return nil
}

func (gs *groups) ready() {
	var all []*group
	for _, g := range gs.byKey {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b *group) int { return a.Seen.Compare(b.Seen) })
	for _, g := range all {
		gs.place(g)
	}
}

// dueHeap has the group whose summary is due first at its front.
type dueHeap []*group

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].Held.Due.Before(h[j].Held.Due) }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push is for container/heap.
func (h *dueHeap) Push(x any) {
	if g, ok := x.(*group); ok {
		g.at = len(*h)
		*h = append(*h, g)
	}
}

// Pop is for container/heap.
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	g := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	g.at = -1
	return g
}

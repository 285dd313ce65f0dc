package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/filelessd/filelessd/pkg/event"
)

const (
	// lookEvery is how often an idle file is looked at, and so what an alert waits at most.
	lookEvery = 200 * time.Millisecond

	// retryEvery is how often a file is tried that can not be read.
	retryEvery = time.Second
)

// File follows the file that Falco's file_output writes, over rotation, truncation and its own
// restarts. How far it was read is saved after each batch, so what Falco writes while nobody
// follows is read later.
type File struct {
	health

	config FileConfig
	saved  place  // what Offsets holds
	shown  string // what is shown as wrong with the file
}

// OpenFile checks c. The file need not exist yet.
func OpenFile(c FileConfig, env Env) (*File, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	f := &File{config: c}
	f.env = env
	f.enter("waiting", "")
	f.status.Peer = c.Path
	return f, nil
}

// Run follows the file until ctx ends.
func (f *File) Run(ctx context.Context, handle Handle) error {
	work, cancel := outlive(ctx)
	defer cancel()
	w := &walker{path: f.config.Path, fromEnd: f.config.From == "end", log: f.env.Log}
	defer w.close()
	if !f.load(ctx, w) {
		return nil
	}
	for ctx.Err() == nil {
		c, err := w.next()
		f.note(w, err)
		f.save(work, w.at) // where a file begins: a stop must not forget that, whatever comes next
		switch {
		case c.size > 0:
			if !f.deliver(ctx, work, handle, c) {
				return nil
			}
			w.done(c)
			f.save(work, w.at)
		case err != nil:
			sleep(ctx, retryEvery)
		default:
			sleep(ctx, lookEvery)
		}
	}
	return nil
}

// load tells w where the last run came to. It reports whether ctx is still alive.
func (f *File) load(ctx context.Context, w *walker) bool {
	for try := 0; ; try++ {
		saved, err := f.env.Offsets.LoadOffset(ctx, f.config.Path)
		if err == nil {
			f.resume(w, saved)
			return true
		}
		f.fault("offset", fmt.Errorf("load the offset of %s: %w", f.config.Path, err))
		if !sleep(ctx, pause(try)) {
			return false
		}
	}
}

func (f *File) resume(w *walker, saved []byte) {
	if saved == nil {
		return
	}
	if err := json.Unmarshal(saved, &w.at); err != nil {
		f.env.Log.Error().Err(err).Str("from", f.config.From).Msg("the saved offset can not be read: beginning anew")
		w.at = place{}
		return
	}
	f.saved, w.known = w.at, true
}

// save saves at if it is new. Failing is no reason to stop: lines that are read again have the same
// IDs.
func (f *File) save(work context.Context, at place) {
	if at == f.saved {
		return
	}
	offset, err := json.Marshal(at)
	if err == nil {
		err = f.env.Offsets.SaveOffset(work, f.config.Path, offset)
	}
	if err != nil {
		f.fault("offset", fmt.Errorf("save the offset of %s: %w", f.config.Path, err))
		return
	}
	f.saved = at
}

// fault shows and logs, with limited rate, what keeps the source from working.
func (f *File) fault(kind string, err error) {
	f.trouble(err.Error())
	if held, ok := f.mayLog(kind, 1); ok {
		f.env.Log.Error().Err(err).Int("times", held+1).Msg("trying again")
	}
}

// note shows whether the file can be read, and logs it when that changes.
func (f *File) note(w *walker, err error) {
	state, wrong := "following", w.lost
	if err != nil {
		state, wrong = "waiting", err.Error()
	}
	changed := f.Status().State != state
	if !changed && f.shown == wrong {
		return
	}
	f.shown = wrong
	f.enter(state, wrong)
	switch {
	case err != nil:
		f.env.Log.Warn().Err(err).Msg("the file can not be read; waiting")
	case changed:
		f.env.Log.Info().Str("file", w.cur.path).Int64("offset", w.at.Offset).Msg("following the file")
	}
}

// deliver hands the alerts of c over, again and again until that succeeds. It reports whether it
// did; if not, ctx has ended.
func (f *File) deliver(ctx, work context.Context, handle Handle, c chunk) bool {
	events := f.parse(c)
	if len(events) == 0 {
		return true
	}
	for try := 0; ; try++ {
		err := handle(work, events)
		if err == nil {
			f.took(events[len(events)-1].Received, f.config.Path)
			return true
		}
		f.fault("store", fmt.Errorf("the alerts could not be stored: %w", err))
		if !sleep(ctx, pause(try)) {
			return false
		}
	}
}

// parse returns the alerts of c. A line that is none costs only itself.
func (f *File) parse(c chunk) []event.Event {
	if c.tooLong > 0 {
		f.reject(ReasonTooLarge, c.tooLong, errors.New("a line of more than 1 MiB"))
	}
	var events []event.Event
	for _, line := range c.lines {
		line = bytes.Trim(line, space)
		if len(line) == 0 {
			continue
		}
		e, err := event.Parse(line, f.env.Stamp())
		switch {
		case err == nil:
			events = append(events, e)
		case line[0] == '{':
			f.reject(ReasonMalformed, 1, err)
		default:
			f.reject(ReasonText, 1, err)
		}
	}
	return events
}

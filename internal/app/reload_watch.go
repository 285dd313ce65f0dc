package app

import (
	"maps"
	"os"
	"time"

	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/server"
)

const (
	// lookEvery is how often the files of the configuration are looked at. A look is a stat of each:
	// unlike a watch by inotify it also sees what a symbolic link leads to now, which is how Kubernetes
	// changes a mounted ConfigMap, and what another machine writes to a network disk.
	lookEvery = 2 * time.Second
	// againEvery is how often a configuration that could not be read is tried once more, without a word as
	// long as it stays so: what it lacks can be a file that nobody looks at yet.
	againEvery = 30 * time.Second
)

// fileWatch decides when to read the configuration again by what its files look like.
type fileWatch struct {
	app    *App
	config *config.Config // in force
	known  looks          // when the configuration was read last
	before looks          // the last time
	failed bool           // to read the configuration, the last time
	kept   bool           // from taking it over, by something else than what it says
	again  time.Time
}

// looks are files and what they look like.
type looks map[string]look

// look is what a file looks like from outside.
type look struct {
	size    int64
	changed time.Time
	info    os.FileInfo // for os.SameFile; nil for none
}

func (a *App) newFileWatch(now time.Time) *fileWatch {
	w := &fileWatch{app: a, again: now.Add(againEvery)}
	w.read(a.config, a.config, nil)
	return w
}

func lookAt(name string) look {
	info, err := os.Stat(name)
	if err != nil {
		return look{}
	}
	return look{info.Size(), info.ModTime(), info}
}

func (l looks) again() looks {
	now := make(looks, len(l))
	for name := range l {
		now[name] = lookAt(name)
	}
	return now
}

func sameLooks(a, b looks) bool {
	return maps.EqualFunc(a, b, func(a, b look) bool {
		if a.info == nil || b.info == nil {
			return a.info == nil && b.info == nil
		}
		return a.size == b.size && a.changed.Equal(b.changed) && os.SameFile(a.info, b.info)
	})
}

// wants reports whether the configuration should be read again: its files are not what they were when it
// was, and stand still since the last look, so that nobody is writing them.
func (w *fileWatch) wants(now time.Time) bool {
	if !w.config.Reload.Watch || w.app.options.Load == nil {
		return false
	}
	seen := w.known.again()
	still := sameLooks(seen, w.before)
	w.before = seen
	if still && !sameLooks(seen, w.known) {
		return true
	}
	if !w.failed && !w.kept || now.Before(w.again) {
		return false
	}
	w.again = now.Add(againEvery)
	if w.kept {
		return true
	}
	_, err := w.app.options.Load()
	return err == nil
}

// reading comes before the configuration is read: a change from here on is seen later.
func (w *fileWatch) reading(now time.Time) {
	w.known = w.known.again()
	w.again = now.Add(againEvery)
}

// read takes note of the configuration in force, and of the one that was read, nil if it could not be: what
// that one lacks may come to the files that it names. err is why it was not taken over; where the configuration
// is not at fault, but a full disk, say, nothing that it names will change, and it is tried again.
func (w *fileWatch) read(inForce, last *config.Config, err error) {
	w.config, w.failed, w.kept = inForce, last == nil, last != nil && err != nil && !server.IsWrong(err)
	if last == nil {
		return
	}
	files := looks{}
	for _, name := range append(inForce.Files(), last.Files()...) {
		seen, known := w.known[name]
		if !known {
			seen = lookAt(name)
			if seen.changed.After(last.ReadAt()) { // so what was read may be what it was before
				seen = look{}
			}
		}
		files[name] = seen
	}
	w.known, w.before = files, files
}

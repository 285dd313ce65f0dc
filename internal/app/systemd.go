package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/rs/zerolog"
)

// statusEvery is how often systemd is told how the daemon is doing, if that has changed.
const statusEvery = 10 * time.Second

// systemd is what the manager is told while the daemon runs: a line for `systemctl status`, and with
// WatchdogSec= that the daemon is alive.
//
// Alive means that the goroutines which own the state answer: the log's writer, and the one of each sink.
// A disk that is full and a receiver that is down leave them answering, and so they should: a restart
// mends neither, and costs the alerts that were read from Falco and are not on disk yet. For the same
// reason a process that waits for a disk which does not answer counts as alive. What remains is a
// deadlock, a goroutine that runs in circles, and a process that was stopped.
type systemd struct {
	ping     func(ctx context.Context) (silent []string)
	status   func() string
	watchdog time.Duration // after so long without a word the daemon is killed; 0 for never
	threads  fs.FS         // /proc/self/task
	notify   func(state string)
	log      zerolog.Logger

	told   string // status
	silent bool   // something does not answer, which was logged
}

// tellSystemd begins to tell; the function that it returns ends that. Without systemd it does nothing.
func (a *App) tellSystemd() (stop func()) {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return func() {}
	}
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		a.log.Warn().Err(err).Msg("the watchdog of systemd is not served")
	}
	s := &systemd{
		ping: a.ping, status: a.statusLine, watchdog: watchdog, threads: os.DirFS("/proc/self/task"),
		notify: notify, log: a.log,
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := group(func(run func(func())) { run(func() { s.run(ctx) }) })
	return func() {
		cancel()
		<-ended
	}
}

// stoppingFor is what systemd is told at a stop that takes so long. It waits for the end then, and does not kill
// the daemon, also where TimeoutStopSec= of the unit is less.
func stoppingFor(drain time.Duration) string {
	return fmt.Sprintf("%s\nEXTEND_TIMEOUT_USEC=%d", daemon.SdNotifyStopping, (drain + 5*time.Second).Microseconds())
}

// run tells until ctx ends.
func (s *systemd) run(ctx context.Context) {
	every := statusEvery
	if s.watchdog > 0 {
		every = min(every, s.watchdog/4) // s.alive takes up to half of the time by itself
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		s.tell(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// tell says what has changed, and that the daemon is alive if it is.
func (s *systemd) tell(ctx context.Context) {
	state, alive := "", false
	if s.watchdog > 0 {
		if alive = s.alive(ctx); alive {
			state = daemon.SdNotifyWatchdog + "\n"
		}
	}
	if ctx.Err() != nil {
		return
	}
	// What does not answer may hold what the status asks for.
	if s.watchdog == 0 || alive {
		if status := s.status(); status != s.told {
			s.told = status
			state += "STATUS=" + status
		}
	}
	if state != "" {
		s.notify(state)
	}
}

// alive reports whether everything has answered in half of the time that systemd gives.
func (s *systemd) alive(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, s.watchdog/2)
	defer cancel()
	silent := s.ping(ctx)
	if len(silent) == 0 {
		if s.silent {
			s.log.Info().Msg("everything answers again")
		}
		s.silent = false
		return true
	}
	if errors.Is(ctx.Err(), context.Canceled) { // at a stop
		return false
	}
	waits := waitsForDisk(s.threads)
	if !s.silent {
		s.log.Error().Strs("parts", silent).Bool("disk", waits).Stringer("for", s.watchdog/2).
			Msg("a part of the program does not answer; unless the disk is the reason, the watchdog of systemd will end it")
	}
	s.silent = true
	return waits
}

// ping asks everything that owns state and returns what has not answered when ctx ended.
func (a *App) ping(ctx context.Context) (silent []string) {
	var mu sync.Mutex
	var asked sync.WaitGroup
	ask := func(name string, ping func(context.Context) error) {
		asked.Go(func() {
			if ping(ctx) != nil {
				mu.Lock()
				defer mu.Unlock()
				silent = append(silent, name)
			}
		})
	}
	ask("the log", a.store.Ping)
	for _, w := range a.workers.all() {
		ask("sink "+w.name, w.Ping)
	}
	asked.Wait()
	slices.Sort(silent)
	return silent
}

// waitsForDisk reports whether a thread of this process is in a wait that no signal ends (state D), such as
// for a disk or a network file system.
func waitsForDisk(threads fs.FS) bool {
	stats, _ := fs.Glob(threads, "*/stat") // the pattern is well-formed
	for _, name := range stats {
		data, err := fs.ReadFile(threads, path.Clean(name))
		if err != nil {
			continue // the thread has ended
		}
		// "1 (name) S ...": the name may hold anything.
		if i := strings.LastIndexByte(string(data), ')'); i >= 0 && strings.HasPrefix(string(data[i+1:]), " D ") {
			return true
		}
	}
	return false
}

// statusLine is how the daemon is doing, for a line of `systemctl status`. It asks no disk.
func (a *App) statusLine() string {
	var trouble []string
	if problems := a.problems(); len(problems) > 0 {
		trouble = append(trouble, strings.Join(strings.Fields(problems[0]), " "))
	}
	for _, s := range a.sources {
		if status := s.Status(); status.LastError != "" {
			trouble = append(trouble, fmt.Sprintf("source %s is %s", s.name, status.State))
		}
	}
	var backlog uint64
	for _, w := range a.workers.all() {
		status := w.Status()
		backlog += status.Backlog
		if status.BreakerOpen {
			trouble = append(trouble, fmt.Sprintf("sink %s is down", w.name))
		}
	}
	line := fmt.Sprintf("%d sources, %d sinks, %d reports to deliver", len(a.sources), len(a.workers.all()), backlog)
	if len(trouble) > 0 {
		line += ": " + strings.Join(trouble, ", ")
	}
	return line
}

// warnUnused says which sockets of systemd have no use: who connects to one waits in vain.
func (a *App) warnUnused() {
	for _, name := range a.options.Sockets.Unused() {
		a.log.Warn().Str("socket", name).
			Msg("systemd listens here for filelessd, but nothing in the configuration does: no answer will come; see `listen` and the .socket unit")
	}
}

package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/filelessd/filelessd/internal/app"
	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
)

type statusCommand struct {
	daemonFlags
}

// errNotReady ends the command with exit status 1 once all is said: a health check needs no more.
var errNotReady = &exit{code: exitFailed}

// Run shows how the daemon is doing, and fails if it takes no alerts.
func (c *statusCommand) Run(p *program) error {
	var s app.Status
	if err := p.ask(c.daemonFlags, app.CommandStatus, app.Nothing{}, &s); err != nil {
		return err
	}
	if err := c.show(p, s); err != nil {
		return err
	}
	if !s.Ready {
		return errNotReady
	}
	return nil
}

func (c *statusCommand) show(p *program, s app.Status) error {
	if c.json() {
		return p.writeJSON(s)
	}
	now := time.Now()
	ready := "ready"
	if !s.Ready {
		ready = "NOT READY"
	}
	fmt.Fprintf(p.Stdout, "filelessd %s, process %d, up %s, %s\n", report.Visible(s.Version), s.Process, span(now.Sub(s.Began)), ready)
	for _, problem := range s.Problems {
		fmt.Fprintf(p.Stdout, "  %s\n", report.Visible(problem))
	}
	p.configuration(s.Configuration, now)
	if err := p.sourceTable(s, now); err != nil {
		return err
	}
	if err := p.sinkTable(s, now); err != nil {
		return err
	}
	_, err := fmt.Fprintf(p.Stdout, "\nlog: %d reports, %s on disk%s\n", s.Store.Records, size(s.Store.Bytes), damaged(s.Store))
	return err
}

// configuration says which one is in force, if it was read from a file, and what is not.
func (p *program) configuration(c app.ConfigurationStatus, now time.Time) {
	if c.File != "" {
		fmt.Fprintf(p.Stdout, "configuration: %s (%s), in force for %s\n", report.Visible(c.File), c.Hash, span(now.Sub(c.Loaded)))
	}
	if c.Error != "" {
		first, _, _ := strings.Cut(c.Error, "\n") // the rest shows where, which check does too
		fmt.Fprintf(p.Stdout, "  REJECTED %s: %s\n", ago(c.At, now), cut(first, 500))
	}
	if len(c.Restart) > 0 {
		fmt.Fprintf(p.Stdout, "  needs a restart: %s\n", strings.Join(c.Restart, ", "))
	}
}

// What is wrong comes below a table, a line each: such texts say what to do, and are long.
func (p *program) tableWithTroubles(t *table, troubles []string) error {
	fmt.Fprintln(p.Stdout)
	if err := t.write(p.Stdout); err != nil {
		return err
	}
	for _, trouble := range troubles {
		fmt.Fprintf(p.Stdout, "  %s\n", cut(trouble, 500))
	}
	return nil
}

func (p *program) sourceTable(s app.Status, now time.Time) error {
	t, troubles := new(table), []string(nil)
	t.add("SOURCE", "TYPE", "STATE", "FOR", "LAST ALERT", "PEER")
	for _, name := range slices.Sorted(maps.Keys(s.Sources)) {
		source := s.Sources[name]
		t.add(name, source.Type, source.State, span(now.Sub(source.Since)), ago(source.LastAlert, now), cmp.Or(source.Peer, "-"))
		if source.LastError != "" {
			troubles = append(troubles, name+": "+source.LastError)
		}
	}
	return p.tableWithTroubles(t, troubles)
}

func (p *program) sinkTable(s app.Status, now time.Time) error {
	t, troubles := new(table), []string(nil)
	t.add("SINK", "TYPE", "STATE", "BACKLOG", "PARKED", "DEAD", "OLDEST")
	for _, name := range slices.Sorted(maps.Keys(s.Sinks)) {
		sink := s.Sinks[name]
		state := "ok"
		if sink.BreakerOpen {
			state = "DOWN for " + span(now.Sub(sink.DownSince))
		}
		t.add(name, sink.Type, state, strconv.FormatUint(sink.Backlog, 10), strconv.Itoa(sink.Parked), strconv.Itoa(sink.Dead),
			ago(sink.Oldest, now))
		if sink.LastError != "" {
			troubles = append(troubles, fmt.Sprintf("%s: %s: %s", name, ago(sink.LastErrorAt, now), sink.LastError))
		}
	}
	return p.tableWithTroubles(t, troubles)
}

func size(n int64) string {
	switch {
	case n < 10<<10:
		return fmt.Sprintf("%d B", n)
	case n < 10<<20:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

func damaged(s store.Stats) string {
	if s.Damaged == 0 {
		return ""
	}
	return fmt.Sprintf(", %d of them DAMAGED", s.Damaged)
}

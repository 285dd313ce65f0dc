package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/filelessd/filelessd/internal/app"
	"github.com/filelessd/filelessd/internal/render"
	"github.com/filelessd/filelessd/pkg/report"
)

type deadlettersCommand struct {
	List  deadListCommand  `cmd:"" help:"List them, the oldest first."`
	Show  deadShowCommand  `cmd:"" help:"Show their reports."`
	Retry deadRetryCommand `cmd:"" help:"Put them back to their sinks, under their own ids. Needs the running daemon."`
	Drop  deadDropCommand  `cmd:"" help:"Forget them for good. Needs the running daemon."`
}

// deadFlags say which dead letters are meant.
type deadFlags struct {
	daemonFlags
	Sink  string   `placeholder:"NAME" help:"Only those of this sink."`
	Since string   `placeholder:"TIME" help:"Only those given up since then: a time such as 2026-11-23T12:00:00Z, or how long ago, such as 24h."`
	ID    []string `name:"id" placeholder:"ID" help:"Only these reports: ids, or at least 8 characters of their beginning. May be repeated."`
	IDs   []string `arg:"" optional:"" name:"ids" help:"The same as --id."`
}

func (f deadFlags) query() (q app.DeadQuery, err error) {
	q = app.DeadQuery{Sink: f.Sink, IDs: append(f.ID, f.IDs...)}
	if f.Since == "" {
		return q, nil
	}
	q.Since, err = since(f.Since, time.Now())
	return q, err
}

// since reads a time, or how long before now.
func since(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage(fmt.Errorf("--since: want a time such as 2026-11-23T12:00:00Z, or how long ago, such as 24h; got %q", text))
}

// errorWidth is how much of an error a table shows; -o json, and show, have it all.
const errorWidth = 100

type deadListCommand struct{ deadFlags }

// Run lists.
func (c *deadListCommand) Run(p *program) error {
	letters, err := c.letters(p, app.CommandDeadList)
	if err != nil {
		return err
	}
	if c.json() {
		return p.writeJSON(letters)
	}
	if len(letters) == 0 {
		_, err := fmt.Fprintln(p.Stdout, "no dead letters")
		return err
	}
	t := new(table)
	t.add("SINK", "ID", "GIVEN UP", "TRIES", "SEVERITY", "REPORT", "ERROR")
	for _, l := range letters {
		t.add(l.Sink, shortID(l.ID), shown(l.At), strconv.Itoa(l.Attempts), string(l.Severity), cut(l.Title, 60), cut(l.Error, errorWidth))
	}
	return t.write(p.Stdout)
}

func (f deadFlags) letters(p *program, command string) (letters []app.DeadLetter, err error) {
	q, err := f.query()
	if err != nil {
		return nil, err
	}
	err = p.ask(f.daemonFlags, command, q, &letters)
	return letters, err
}

// shortID is as much of an ID as tells it from others, and is taken for it by every command.
func shortID(id string) string { return id[:min(len(id), 16)] }

type deadShowCommand struct{ deadFlags }

// Run shows whole reports.
func (c *deadShowCommand) Run(p *program) error {
	letters, err := c.letters(p, app.CommandDeadShow)
	if err != nil {
		return err
	}
	if c.json() {
		return p.writeJSON(letters)
	}
	for _, l := range letters {
		t := new(table)
		t.add("Dead letter", l.ID)
		t.add("Sink", l.Sink)
		t.add("First failure", shown(l.Since))
		t.add("Given up", shown(l.At)+", after "+strconv.Itoa(l.Attempts)+" tries")
		t.add("Error", l.Error)
		if err := t.write(p.Stdout); err != nil {
			return err
		}
		fmt.Fprintln(p.Stdout)
		r := new(report.Report)
		if err := json.Unmarshal(l.Report, r); err != nil {
			fmt.Fprintf(p.Stdout, "This is no report: %s\n\n", report.Visible(string(l.Report)))
			continue
		}
		fmt.Fprintf(p.Stdout, "%s\n", render.Text(r))
	}
	return nil
}

type deadRetryCommand struct{ deadFlags }

// Run puts dead letters back.
func (c *deadRetryCommand) Run(p *program) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	var done app.DeadDone
	if err := p.ask(c.daemonFlags, app.CommandDeadRetry, q, &done); err != nil {
		return err
	}
	if c.json() {
		return p.writeJSON(done)
	}
	fmt.Fprintf(p.Stdout, "%d dead letters are tried again\n", done.Done)
	if done.Left > 0 {
		fmt.Fprintf(p.Stdout, "%d more stay where they are: no more can be tried at once; repeat the command later\n", done.Left)
	}
	if done.Unreadable > 0 {
		fmt.Fprintf(p.Stdout, "%d are no reports, and can only be shown or dropped\n", done.Unreadable)
	}
	return nil
}

type deadDropCommand struct {
	deadFlags
	All bool `help:"All of them; needed if nothing else says which."`
}

// Run forgets dead letters.
func (c *deadDropCommand) Run(p *program) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	if q.Sink == "" && len(q.IDs) == 0 && q.Since.IsZero() && !c.All {
		return usage(errors.New("say which dead letters to drop: --id, --sink, --since, or --all"))
	}
	var done app.DeadDone
	if err := p.ask(c.daemonFlags, app.CommandDeadDrop, q, &done); err != nil {
		return err
	}
	if c.json() {
		return p.writeJSON(done)
	}
	_, err = fmt.Fprintf(p.Stdout, "%d dead letters dropped\n", done.Done)
	return err
}

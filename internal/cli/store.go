package cli

import (
	"bufio"
	"errors"
	"fmt"
	"time"

	"github.com/filelessd/filelessd/internal/app"
	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
)

type storeCommand struct {
	Check   storeCheckCommand   `cmd:"" help:"Read the whole log and say what is damaged. Changes nothing; the daemon may run. Exit status 0: all is whole; 3: something is damaged; 1: the log could not be read."`
	Compact storeCompactCommand `cmd:"" help:"Give the free room inside the log back to the file system. The daemon may run."`
	Export  storeExportCommand  `cmd:"" help:"Write the reports in the log to stdout, as JSON lines, the oldest first."`
}

type storeExportCommand struct {
	daemonFlags
	Since string `placeholder:"TIME" help:"Only what the log took since then: a time such as 2026-11-23T12:00:00Z, or how long ago, such as 24h."`
}

// Run writes the log.
func (c *storeExportCommand) Run(p *program) (err error) {
	var q app.ExportQuery
	if c.Since != "" {
		if q.Since, err = since(c.Since, time.Now()); err != nil {
			return err
		}
	}
	out := bufio.NewWriter(p.Stdout)
	defer func() { err = errors.Join(err, out.Flush()) }()
	unreadable := 0
	for {
		var part app.ExportPart
		if err := p.ask(c.daemonFlags, app.CommandStoreExport, q, &part); err != nil {
			return err
		}
		unreadable += part.Unreadable
		for _, r := range part.Reports {
			if _, err := out.Write(append(r, '\n')); err != nil {
				return err
			}
		}
		if q.After = part.Next; part.Next == 0 {
			break
		}
	}
	if unreadable > 0 {
		return &exit{exitInput, fmt.Errorf("%d records of the log are no reports", unreadable)}
	}
	return nil
}

type storeCheckCommand struct {
	daemonFlags
}

// Run checks the log.
func (c *storeCheckCommand) Run(p *program) error {
	var found app.StoreCheck
	if err := p.ask(c.daemonFlags, app.CommandStoreCheck, app.Nothing{}, &found); err != nil {
		damaged := false
		if found, damaged = app.Unopened(err); !damaged {
			return err
		}
	}
	say := p.writeJSON
	if !c.json() {
		say = func(any) error { return p.writeCheck(found) }
	}
	if err := say(found); err != nil {
		return err
	}
	if !found.OK {
		return &exit{exitInput, nil} // what is damaged was said
	}
	return nil
}

func (p *program) writeCheck(c app.StoreCheck) error {
	for _, f := range c.Findings {
		fmt.Fprintln(p.Stdout, report.Visible(f.What))
	}
	if c.More > 0 {
		fmt.Fprintf(p.Stdout, "and %d more like these\n", c.More)
	}
	verdict := "all is whole"
	if !c.OK {
		verdict = "DAMAGED"
	}
	lost := ""
	if c.Lost > 0 {
		lost = fmt.Sprintf("; %d records are gone by an earlier damage, which was reported", c.Lost)
	}
	_, err := fmt.Fprintf(p.Stdout, "%d records with %s, %d cursors, %d pieces of state, %d outcomes can be read%s: %s\n",
		c.Records, size(c.Bytes), c.Cursors, c.State, c.Outcomes, lost, verdict)
	return err
}

type storeCompactCommand struct {
	daemonFlags
}

// Run compacts the log.
func (c *storeCompactCommand) Run(p *program) error {
	var done store.CompactReport
	if err := p.ask(c.daemonFlags, app.CommandStoreCompact, app.Nothing{}, &done); err != nil {
		return err
	}
	if c.json() {
		return p.writeJSON(done)
	}
	_, err := fmt.Fprintf(p.Stdout, "%s on disk, was %s\n", size(done.After), size(done.Before))
	return err
}

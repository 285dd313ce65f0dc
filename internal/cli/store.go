package cli

import (
	"bufio"
	"errors"
	"fmt"
	"time"

	"github.com/filelessd/filelessd/internal/app"
)

type storeCommand struct {
	Export storeExportCommand `cmd:"" help:"Write the reports in the log to stdout, as JSON lines, the oldest first."`
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

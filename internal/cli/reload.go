package cli

import (
	"fmt"
	"strings"

	"github.com/filelessd/filelessd/internal/app"
)

type reloadCommand struct {
	daemonFlags
}

// Run returns when the new configuration is in force; else the last good one is, and the exit status is 2.
func (c *reloadCommand) Run(p *program) error {
	var did app.Reloaded
	if err := p.ask(c.daemonFlags, app.CommandReload, app.Nothing{}, &did); err != nil {
		return err
	}
	if c.json() {
		return p.writeJSON(did)
	}
	switch {
	case len(did.Changed) > 0:
		fmt.Fprintf(p.Stdout, "in force: %s\n", strings.Join(did.Changed, ", "))
	case len(did.Restart) == 0:
		fmt.Fprintln(p.Stdout, "nothing changed")
	}
	if len(did.Restart) > 0 {
		fmt.Fprintf(p.Stdout, "needs a restart: %s\n", strings.Join(did.Restart, ", "))
	}
	return nil
}

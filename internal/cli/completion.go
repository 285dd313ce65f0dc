package cli

import (
	"fmt"

	"github.com/filelessd/filelessd/internal/complete"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"The shell: bash, zsh or fish."`
}

// Run prints a script: `source <(filelessd completion bash)` is how a shell reads it.
func (c *completionCommand) Run(p *program) error {
	parser, err := newParser(new(commands), p.IO, func(int) {})
	if err != nil {
		return err
	}
	script, err := complete.Script(parser.Model, c.Shell)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(p.Stdout, script)
	return err
}

package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/filelessd/filelessd/internal/convert"
	"github.com/filelessd/filelessd/pkg/report"
)

type convertCommand struct {
	File    string   `arg:"" optional:"" help:"Falcosidekick's config.yaml, or Helm values with one in them; - or none: stdin."`
	Env     string   `placeholder:"FILE" help:"Falcosidekick's environment, as lines NAME=VALUE; it wins over the file, as it does there."`
	Through []string `placeholder:"OUTPUT" help:"Leave an output, such as redis, with Falcosidekick though filelessd has a sink for it."`
	Rest    string   `placeholder:"FILE" help:"Write the configuration of a Falcosidekick for the outputs that stay with it. It has their secrets."`
	Output  string   `short:"o" enum:"yaml,json" default:"yaml" help:"Format: yaml, the configuration, with the notes on stderr; or json, both in one object."`
}

// conversionJSON is what -o json prints.
type conversionJSON struct {
	Config    string             `json:"config"`
	Notes     []convert.Note     `json:"notes"`
	Variables []convert.Variable `json:"variables"`
	Converted []string           `json:"converted"`
	Stay      []string           `json:"stay"`
}

// maxConvert is how much of an input is read: more than what is taken, so that it is seen to be too much.
const maxConvert = 2 << 20

// Run converts.
func (c *convertCommand) Run(p *program) error {
	in := convert.Input{Name: "stdin", EnvName: c.Env, Through: c.Through, Sinks: p.sinks}
	var err error
	switch {
	case c.File != "" && c.File != "-":
		in.Name = c.File
		in.Data, err = readInput(c.File)
	case c.File == "-" || c.Env == "":
		in.Data, err = io.ReadAll(io.LimitReader(p.Stdin, maxConvert))
	}
	if err == nil && c.Env != "" {
		in.Env, err = readInput(c.Env)
	}
	if err != nil {
		return usage(err)
	}
	result, err := convert.Convert(in)
	if _, unreadable := errors.AsType[*convert.Error](err); unreadable {
		return usage(err)
	}
	if err != nil {
		return err
	}
	if err := c.write(p, result); err != nil {
		return err
	}
	if result.Bad() {
		return &exit{code: exitInput}
	}
	return nil
}

// readInput reads a file, which is never nil.
func readInput(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConvert))
	return append([]byte{}, data...), err
}

func (c *convertCommand) write(p *program, r *convert.Result) error {
	if c.Rest != "" && r.Rest != nil {
		if err := writeSecret(c.Rest, r.Rest); err != nil {
			return err
		}
	}
	if c.Output == "json" {
		return p.writeJSON(conversionJSON{
			Config: string(r.Config), Notes: r.Notes, Variables: append([]convert.Variable{}, r.Variables...),
			Converted: append([]string{}, r.Converted...), Stay: append([]string{}, r.Stay...),
		})
	}
	if _, err := p.Stdout.Write(r.Config); err != nil {
		return err
	}
	var b strings.Builder
	for _, n := range r.Notes {
		b.WriteString(n.String() + "\n")
	}
	b.WriteString(c.summary(r))
	_, err := io.WriteString(p.Stderr, b.String())
	return err
}

// writeSecret writes a file that only its owner can read. One that is there stays, since it may be the only one.
func writeSecret(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return usage(err)
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// summary ends the notes with what there is to do.
func (c *convertCommand) summary(r *convert.Result) string {
	lines := []string{fmt.Sprintf("outputs: %d converted, %d with Falcosidekick", len(r.Converted), len(r.Stay))}
	var names []string
	for _, v := range r.Variables {
		names = append(names, v.Name)
	}
	if len(names) > 0 {
		lines = append(lines, "set these variables for filelessd: "+strings.Join(names, " "))
	}
	switch {
	case len(r.Stay) > 0 && c.Rest != "":
		lines = append(lines, "the configuration of the Falcosidekick behind filelessd is in "+c.Rest+" (with its secrets): "+strings.Join(r.Stay, " "))
	case len(r.Stay) > 0:
		lines = append(lines, "a Falcosidekick behind filelessd is to have these outputs and no others (--rest FILE writes that): "+strings.Join(r.Stay, " "))
	case c.Rest != "":
		lines = append(lines, "no output stays with Falcosidekick, so "+c.Rest+" was not written")
	}
	lines = append(lines, "then: filelessd check --connect -c FILE")
	for i := range lines {
		lines[i] = "filelessd: " + report.Visible(lines[i])
	}
	return strings.Join(lines, "\n") + "\n"
}

package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/filelessd/filelessd/internal/app"
	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/config/reference"
	"github.com/filelessd/filelessd/pkg/report"
)

type sinksCommand struct {
	List    sinksListCommand    `cmd:"" default:"withargs" help:"List the kinds (the default)."`
	Example sinksExampleCommand `cmd:"" help:"Print a configuration with a sink of that kind: every key, its default and what it does."`
}

type sinksListCommand struct {
	Output string `short:"o" enum:"text,json" default:"text" help:"Format: text or json."`
}

// sinkKind is a kind of sink in a list.
type sinkKind struct {
	Name    string `json:"name"`
	Summary string `json:"summary"`
}

// Run lists the kinds.
func (c *sinksListCommand) Run(p *program) error {
	kinds := []sinkKind{}
	t := new(table)
	t.add("KIND", "WHAT IT DOES")
	for _, k := range p.sinks.Kinds() {
		kinds = append(kinds, sinkKind{k.Name, k.Summary})
		t.add(k.Name, k.Summary)
	}
	if c.Output == "json" {
		return p.writeJSON(kinds)
	}
	return t.write(p.Stdout)
}

type sinksExampleCommand struct {
	Kind string `arg:"" help:"A kind that filelessd sinks lists."`
}

// Run prints an example.
func (c *sinksExampleCommand) Run(p *program) error {
	kind, ok := p.sinks.Kind(c.Kind)
	if !ok {
		var known []string
		for _, k := range p.sinks.Kinds() {
			known = append(known, k.Name)
		}
		return usage(fmt.Errorf("no kind of sink %q; known are %s", c.Kind, strings.Join(known, ", ")))
	}
	notes, err := reference.Embedded()
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(p.Stdout, notes.Sink(kind))
	return err
}

type testSinkCommand struct {
	Name   string `arg:"" help:"Name of the sink in the configuration."`
	Config string `short:"c" placeholder:"FILE" help:"Configuration; without it the one that run would take."`
	Output string `short:"o" enum:"text,json" default:"text" help:"Format: text or json."`
}

// Run sends a report and says how it went.
func (c *testSinkCommand) Run(p *program) error {
	conf, err := p.loadConfig(c.Config)
	if err != nil {
		return usage(err)
	}
	s, ok := conf.Sinks[c.Name]
	if !ok {
		return usage(fmt.Errorf("no sink %q in the configuration; there is %s", c.Name, sinkNames(conf)))
	}
	json := c.Output == "json"
	stdout := p.Stdout
	if json { // which a sink that writes there must not mix with
		stdout = p.Stderr
	}
	tried := app.TrySink(p.ctx, s, Version(), stdout)
	if json {
		err = p.writeJSON(tried)
	} else {
		err = p.showTried(tried)
	}
	if err == nil && !tried.Delivered {
		return &exit{code: exitFailed}
	}
	return err
}

func (p *program) showTried(tried app.Tried) error {
	after := time.Duration(tried.Seconds * float64(time.Second)).Round(100 * time.Microsecond)
	lines := []string{fmt.Sprintf("sink %s (%s): the test report was delivered in %s", tried.Sink, tried.Type, after)}
	if !tried.Delivered {
		lines = []string{fmt.Sprintf("sink %s (%s): NOT delivered, after %s", tried.Sink, tried.Type, after), "error:  " + tried.Error}
		if tried.Permanent {
			lines = append(lines, "        A report that is refused like this goes to the dead letters at once.")
		} else {
			lines = append(lines, "        The daemon would try again.")
		}
	}
	for _, answer := range tried.Answers {
		lines = append(lines, "answer: "+answer)
	}
	lines = append(lines, "report: "+tried.Report)
	for _, line := range lines {
		if _, err := fmt.Fprintln(p.Stdout, report.Visible(line)); err != nil {
			return err
		}
	}
	return nil
}

func sinkNames(conf *config.Config) string {
	return strings.Join(slices.Sorted(maps.Keys(conf.Sinks)), ", ")
}

package cli

import (
	"errors"
	"fmt"

	"github.com/filelessd/filelessd/internal/analyze"
	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/internal/playbook"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

type analyzeCommand struct {
	Config  string   `short:"c" placeholder:"FILE" help:"Configuration, of which only match is read."`
	Output  string   `short:"o" placeholder:"FORMAT" complete:"markdown,text,html,json,ecs,ocsf,cef" help:"Format of the reports: markdown, text, html, or as one line a report json, ecs, ocsf, cef. Default: on a terminal text to fit it, with -d html, else json. NO_COLOR and COLUMNS are honoured."`
	Dir     string   `short:"d" placeholder:"DIR" help:"Write HTML into this directory: a page per report, ID.html, and index.html. It is made, for you alone, if it is missing."`
	All     bool     `help:"One line of JSON for every line of input, whether it matches or not."`
	Explain bool     `help:"Say of every alert, also of one that does not match, which predicates held, which nearly did, and what was missing. With -o json it means --all, and the lines get the key explain."`
	Files   []string `arg:"" optional:"" help:"Files of Falco's JSON lines, .gz too; - or none for stdin."`
}

// forTerminal is the format that nobody can ask for: text in the style of the terminal.
const forTerminal = "terminal"

// analysis is one run of the command.
type analysis struct {
	*analyzeCommand
	program  *program
	set      *match.Set
	analyzer *analyze.Analyzer
	out      output
	progress *progress
	tally    tally
}

// output is where the results of a run go, in the form that was asked for.
type output interface {
	// report takes the report of an alert; why is nil unless the run explains.
	report(r *report.Report, why []match.Check) error
	// miss takes an alert that shows nothing, in a run that explains or takes all.
	miss(m miss) error
	// bad takes a line that is no alert, and reports whether it has a place for it.
	bad(file string, line int, err error) (bool, error)
	// close comes last, also after an error.
	close() error
}

// miss is an alert that matches nothing, and where it was read.
type miss struct {
	file  string
	line  int
	event *event.Event
	why   []match.Check
}

// Run reads all files in turn.
func (c *analyzeCommand) Run(p *program) error {
	if err := c.settle(p.StdoutIsTerminal); err != nil {
		return usage(err)
	}
	a, err := c.prepare(p)
	if err != nil {
		return err
	}
	files := c.Files
	if len(files) == 0 {
		files = []string{"-"}
	}
	var failed error
	for _, name := range files {
		err := a.file(name)
		failed = errors.Join(failed, err)
		if errors.Is(err, errOutput) {
			break // of no use to the other files either
		}
	}
	a.progress.clear()
	failed = errors.Join(failed, a.out.close())
	a.tally.show(p)
	switch {
	case failed != nil:
		return failed
	case a.tally.malformed > 0:
		return &exit{code: exitInput}
	}
	return nil
}

// settle decides the format.
func (c *analyzeCommand) settle(terminal bool) error {
	switch {
	case c.Output != "":
		if err := sink.CheckFormat("-o", c.Output); err != nil {
			return err
		}
	case c.Dir != "":
		c.Output = "html"
	case c.All || !terminal:
		c.Output = "json"
	default:
		c.Output = forTerminal
	}
	switch {
	case c.All && c.Output != "json":
		return errors.New("--all needs -o json")
	case c.Dir != "" && c.Output != "html":
		return errors.New("-d needs -o html")
	case c.Explain && c.Output != "json" && c.Output != "markdown" && c.Output != "text" && c.Output != forTerminal:
		return errors.New("--explain needs -o json, markdown or text")
	}
	return nil
}

func (c *analyzeCommand) prepare(p *program) (*analysis, error) {
	conf := match.DefaultConfig()
	if c.Config != "" {
		env, err := p.configEnv()
		if err != nil {
			return nil, err
		}
		var warnings []string
		if conf, warnings, err = config.LoadMatch(c.Config, env); err != nil {
			return nil, usage(err)
		}
		for _, w := range warnings {
			fmt.Fprintln(p.Stderr, w)
		}
	}
	base, err := knowledge.Load()
	if err != nil {
		return nil, err
	}
	a := &analysis{analyzeCommand: c, program: p, progress: newProgress(p)}
	a.set, err = match.New(base, conf, func(rule string, err error) {
		fmt.Fprintf(p.Stderr, "rule %s: %v\n", rule, err)
	})
	if err != nil {
		return nil, usage(err)
	}
	if a.analyzer, err = analyze.New(base, conf, Version()); err != nil {
		return nil, err
	}
	a.out, err = c.open(p, a.progress)
	return a, err
}

func (c *analyzeCommand) open(p *program, shown *progress) (output, error) {
	w := newPaper(p, shown)
	switch {
	case c.Dir != "":
		return newHTMLDir(c.Dir)
	case c.Output == "html":
		return &htmlPage{paper: w}, nil
	case sink.OneLine(c.Output):
		return &lines{paper: w, format: c.Output, all: c.All || c.Explain}, nil
	default:
		return &pages{paper: w, format: c.Output, style: p.style()}, nil
	}
}

// alert takes one alert all the way.
func (a *analysis) alert(file string, line int, e *event.Event) error {
	a.tally.alerts++
	hits := a.set.Match(e)
	var why []match.Check
	if a.Explain {
		why = a.set.Explain(e)
	}
	if len(hits) > 0 {
		r := playbook.Expand(a.analyzer.Report(e, hits))
		a.tally.add(r)
		return a.out.report(r, why)
	}
	if !a.All && !a.Explain {
		return nil
	}
	return a.out.miss(miss{file: file, line: line, event: e, why: why})
}

// malformed takes a line that is no alert.
func (a *analysis) malformed(file string, line int, err error) error {
	a.tally.malformed++
	taken, failed := a.out.bad(file, line, err)
	if !taken {
		a.progress.clear()
		fmt.Fprintf(a.program.Stderr, "%s:%d: %s\n", report.Visible(file), line, report.Visible(err.Error()))
	}
	return failed
}

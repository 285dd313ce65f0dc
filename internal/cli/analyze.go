package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/filelessd/filelessd/internal/analyze"
	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/match"
	"github.com/filelessd/filelessd/internal/playbook"
	"github.com/filelessd/filelessd/internal/render"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

type analyzeCommand struct {
	Config string   `short:"c" placeholder:"FILE" help:"Configuration, of which only match is read."`
	Output string   `short:"o" placeholder:"FORMAT" help:"Format of the reports: markdown, text or json (one a line). Default: markdown on a terminal, else json."`
	All    bool     `help:"One line of JSON for every line of input, whether it matches or not."`
	Files  []string `arg:"" optional:"" help:"Files of Falco's JSON lines, .gz too; - or none for stdin."`
}

// analysis is one run of the command.
type analysis struct {
	*analyzeCommand
	program  *program
	set      *match.Set
	analyzer *analyze.Analyzer
	out      *bufio.Writer
	progress *progress

	alerts, matched, malformed int
}

// maxLine is the longest line that can be an alert.
const maxLine = 1 << 20

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
		if err := a.file(name); err != nil {
			failed = errors.Join(failed, err)
		}
	}
	a.progress.clear()
	if err := a.out.Flush(); err != nil {
		return errors.Join(failed, err)
	}
	fmt.Fprintf(p.Stderr, "%d alerts, %d show fileless execution, %d lines malformed\n", a.alerts, a.matched, a.malformed)
	switch {
	case failed != nil:
		return failed
	case a.malformed > 0:
		return &exit{code: exitInput}
	}
	return nil
}

// settle decides the format.
func (c *analyzeCommand) settle(terminal bool) error {
	switch {
	case c.Output == "" && (c.All || !terminal):
		c.Output = "json"
	case c.Output == "":
		c.Output = "markdown"
	}
	if err := sink.CheckFormat("-o", c.Output); err != nil {
		return err
	}
	if c.All && c.Output != "json" {
		return errors.New("--all needs -o json")
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
	a := &analysis{analyzeCommand: c, program: p, out: bufio.NewWriterSize(p.Stdout, 64<<10), progress: newProgress(p)}
	a.set, err = match.New(base, conf, func(rule string, err error) {
		fmt.Fprintf(p.Stderr, "rule %s: %v\n", rule, err)
	})
	if err != nil {
		return nil, usage(err)
	}
	a.analyzer, err = analyze.New(base, conf, Version())
	return a, err
}

func (a *analysis) file(name string) error {
	if name == "-" {
		return a.read(name, a.program.Stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	a.progress.begin(name, f)
	return a.read(name, f)
}

// read takes one input line by line. Gzip is known by its first bytes or by the name.
func (a *analysis) read(name string, r io.Reader) error {
	in := bufio.NewReaderSize(r, 64<<10)
	if magic, _ := in.Peek(2); string(magic) == "\x1f\x8b" || filepath.Ext(name) == ".gz" {
		z, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		in = bufio.NewReaderSize(z, 64<<10)
	}
	for n := 1; ; n++ {
		line, tooLong, err := readLine(in)
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			return fmt.Errorf("%s: line %d: %w", name, n, err)
		}
		if err := a.line(name, n, line, tooLong); err != nil {
			return err
		}
		if last {
			return nil
		}
		if a.program.ctx.Err() != nil {
			return errors.New("interrupted")
		}
	}
}

// readLine returns the next line without its newline. Of one that is too long it keeps nothing.
func readLine(in *bufio.Reader) (line []byte, tooLong bool, err error) {
	for {
		piece, err := in.ReadSlice('\n')
		if len(line)+len(piece) > maxLine+1 {
			line, tooLong = nil, true
		}
		if !tooLong {
			line = append(line, piece...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimRight(line, "\r\n"), tooLong, err
		}
	}
}

func (a *analysis) line(file string, n int, line []byte, tooLong bool) error {
	if len(bytes.TrimSpace(line)) == 0 && !tooLong {
		return nil
	}
	a.progress.step(len(line) + 1)
	e, err := event.Parse(line, time.Now())
	if tooLong {
		err = fmt.Errorf("longer than %d bytes", maxLine)
	}
	if err != nil {
		a.malformed++
		return a.bad(file, n, err)
	}
	a.alerts++
	hits := a.set.Match(&e)
	if len(hits) == 0 {
		return a.miss(file, n, &e)
	}
	a.matched++
	return a.hit(a.analyzer.Report(&e, hits))
}

func (a *analysis) hit(r *report.Report) error {
	body, err := render.Render(a.Output, playbook.Expand(r))
	if err != nil {
		return err
	}
	if a.Output != "json" {
		if a.matched > 1 {
			body = append([]byte("\n"), body...)
		}
		return a.write(body)
	}
	if a.All {
		body = append([]byte(`{"matched":true,`), body[1:]...)
	}
	return a.write(append(bytes.TrimSpace(body), '\n'))
}

// miss and bad are lines of --all for what is no report.
func (a *analysis) miss(file string, n int, e *event.Event) error {
	if !a.All {
		return nil
	}
	return a.record(struct {
		Matched bool   `json:"matched"`
		File    string `json:"file"`
		Line    int    `json:"line"`
		ID      string `json:"id"`
		Rule    string `json:"rule"`
	}{false, file, n, e.ID(), e.Rule})
}

func (a *analysis) bad(file string, n int, err error) error {
	if !a.All {
		a.progress.clear()
		fmt.Fprintf(a.program.Stderr, "%s:%d: %s\n", report.Visible(file), n, report.Visible(err.Error()))
		return nil
	}
	return a.record(struct {
		Matched bool   `json:"matched"`
		File    string `json:"file"`
		Line    int    `json:"line"`
		Error   string `json:"error"`
	}{false, file, n, report.Visible(err.Error())})
}

func (a *analysis) record(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return a.write(append(report.EscapeInvisible(line), '\n'))
}

func (a *analysis) write(b []byte) error {
	_, err := a.out.Write(b)
	if err == nil && a.program.StdoutIsTerminal {
		a.progress.clear()
		err = a.out.Flush()
	}
	return err
}

// progress shows on a terminal how far the reading of a file is.
type progress struct {
	out   io.Writer // nil for none
	name  string
	size  int64
	done  int64
	shown time.Time
	dirty bool
}

func newProgress(p *program) *progress {
	if !p.StderrIsTerminal {
		return &progress{}
	}
	return &progress{out: p.Stderr}
}

func (p *progress) begin(name string, f *os.File) {
	p.name, p.done, p.size = name, 0, 0
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && !strings.HasSuffix(name, ".gz") {
		p.size = info.Size()
	}
}

func (p *progress) step(n int) {
	p.done += int64(n)
	if p.out == nil || p.name == "" || time.Since(p.shown) < 200*time.Millisecond {
		return
	}
	p.shown, p.dirty = time.Now(), true
	if p.size > 0 {
		fmt.Fprintf(p.out, "\r\x1b[K%s: %d %%", report.Visible(p.name), p.done*100/p.size)
	} else {
		fmt.Fprintf(p.out, "\r\x1b[K%s: %d MB", report.Visible(p.name), p.done/1e6)
	}
}

func (p *progress) clear() {
	if p.dirty {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.dirty = false
	}
}

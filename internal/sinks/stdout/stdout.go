// Package stdout is the sink that writes reports to the program's standard output.
package stdout

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Kind is the kind of sink.
var Kind = sink.Kind[Config]{
	Name:    "stdout",
	Summary: "writes reports to standard output",
	Default: func() Config { return Config{Output: sink.Output{Format: "markdown"}} },
	Open:    open,
}

// Config is the configuration of a sink of type stdout.
type Config struct {
	sink.Output `yaml:",inline"`
}

// Validate says what is wrong with c.
func (c Config) Validate() error { return c.Output.Validate() }

func open(_ context.Context, c Config, env sink.Env) (sink.Sink, error) {
	render, err := c.Render(env)
	if err != nil {
		return nil, err
	}
	return &stdout{format: c.Format, render: render, w: env.Stdout, turn: make(chan struct{}, 1)}, nil
}

type stdout struct {
	format string
	render func(*report.Report) ([]byte, error)
	w      io.Writer
	turn   chan struct{} // full while a write is under way
	torn   bool          // the latest write ended in the middle; belongs to whoever has the turn
}

// Deliver writes r with one Write.
//
// Nothing can take back a write that the reader of a pipe holds up. When ctx ends first, Deliver
// returns, and the write keeps its turn, so that no other report gets between its bytes.
func (s *stdout) Deliver(ctx context.Context, r *report.Report) error {
	text, err := s.render(r)
	if err != nil {
		return sink.Permanent(fmt.Errorf("render as %s: %w", s.format, err))
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("an earlier write to standard output is held up: %w", ctx.Err())
	}
	done := make(chan error, 1)
	go func() {
		err := s.write(text)
		<-s.turn
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("write to standard output is held up: %w", ctx.Err())
	}
}

// write writes text as a line, or as a block with a blank line after it.
//
// What was written of a report before an error stays there. The next one begins on a new line, so
// that of two lines of JSON only one is broken.
func (s *stdout) write(text []byte) error {
	var out []byte
	if s.torn {
		out = append(out, '\n')
	}
	out = append(append(out, bytes.TrimRight(text, "\n")...), '\n')
	if !sink.OneLine(s.format) {
		out = append(out, '\n')
	}
	n, err := s.w.Write(out)
	if err == nil && n < len(out) {
		err = io.ErrShortWrite
	}
	if err != nil {
		s.torn = s.torn || n > 0
		return fmt.Errorf("write to standard output: %w", err)
	}
	s.torn = false
	return nil
}

// Close does nothing: standard output belongs to the program.
func (s *stdout) Close() error { return nil }

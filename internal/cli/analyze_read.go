package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/filelessd/filelessd/pkg/event"
)

// maxLine is the longest line that can be an alert.
const maxLine = 1 << 20

// errOutput marks errors of where the results go.
var errOutput = errors.New("output")

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
			return &outputError{err}
		}
		if last {
			return nil
		}
		if a.program.ctx.Err() != nil {
			return errors.New("interrupted")
		}
	}
}

// outputError is an errOutput that reads like the error itself.
type outputError struct{ error }

func (e *outputError) Unwrap() []error { return []error{e.error, errOutput} }

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
		return a.malformed(file, n, err)
	}
	return a.alert(file, n, &e)
}

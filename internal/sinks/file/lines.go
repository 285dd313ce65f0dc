package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// lines appends reports to one file. A goroutine of its own owns the file: it takes all deliveries
// that are waiting, appends them with one write and syncs once for all of them.
type lines struct {
	path    string
	format  string
	render  renderer
	rotate  Rotate
	openAt  func(path string) (appendFile, error)
	in      chan entry
	quit    chan struct{} // closed by Close
	stopped chan struct{} // closed by the goroutine's end
	close   func()

	// What follows belongs to the goroutine.
	file appendFile // nil after an error, until the next append
	torn bool       // the file does not end with a newline
}

// entry is a line that waits to be on disk. Its result always has room, so that the goroutine never
// waits for a Deliver whose context has ended.
type entry struct {
	line   []byte
	result chan error
}

// appendFile is what is used of an *os.File.
type appendFile interface {
	io.Writer
	io.ReaderAt
	Stat() (fs.FileInfo, error)
	Sync() error
	Close() error
}

// maxBatch is how many lines may share a write: more than deliveries can be under way.
const maxBatch = 64

func openAppend(path string) (appendFile, error) {
	// Reading is for a look at the last byte.
	return os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, fileMode)
}

func openLines(c Config, env sink.Env, openAt func(path string) (appendFile, error)) (*lines, error) {
	render, err := c.Line(env)
	if err != nil {
		return nil, err
	}
	l := &lines{
		path: c.Path, format: c.Format, render: render, rotate: c.Rotate, openAt: openAt,
		in: make(chan entry), quit: make(chan struct{}), stopped: make(chan struct{}),
	}
	l.close = sync.OnceFunc(func() { close(l.quit) })
	if err := os.MkdirAll(filepath.Dir(c.Path), dirMode); err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	if err := l.open(); err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	// Until the first delivery the file can be another sink's still, which this one takes the place of: how it
	// ends is seen when it is opened again.
	l.drop()
	go l.run()
	return l, nil
}

// Deliver returns once the line is on disk. If ctx ends first, the line may still get there.
func (l *lines) Deliver(ctx context.Context, r *report.Report) error {
	line, err := l.render(r)
	if err != nil {
		return sink.Permanent(fmt.Errorf("render as %s: %w", l.format, err))
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	e := entry{line: append(line, '\n'), result: make(chan error, 1)}
	select {
	case l.in <- e:
	case <-l.quit:
		return errors.New("the sink is closed")
	case <-ctx.Done():
		return fmt.Errorf("%s: an earlier write is held up: %w", l.path, ctx.Err())
	}
	select {
	case err := <-e.result:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%s: the write is held up: %w", l.path, ctx.Err())
	}
}

// Close waits for a write that is under way.
func (l *lines) Close() error {
	l.close()
	<-l.stopped
	return nil
}

func (l *lines) run() {
	defer close(l.stopped)
	defer l.drop()
	for {
		select {
		case e := <-l.in:
			batch := l.collect(e)
			err := l.append(batch)
			for _, e := range batch {
				e.result <- err
			}
		case <-l.quit:
			return
		}
	}
}

// collect adds to first what else is waiting.
func (l *lines) collect(first entry) []entry {
	batch := []entry{first}
	for len(batch) < maxBatch {
		select {
		case e := <-l.in:
			batch = append(batch, e)
		default:
			return batch
		}
	}
	return batch
}

// append writes the batch. After an error the file is opened again the next time: of a file whose
// sync failed nobody knows what is on disk, and a write that was cut short left half a line.
func (l *lines) append(batch []entry) error {
	data := make([]byte, 1, 4096) // for the newline that a torn line lacks
	data[0] = '\n'
	for _, e := range batch {
		data = append(data, e.line...)
	}
	if err := l.prepare(int64(len(data))); err != nil {
		l.drop()
		return err
	}
	if !l.torn {
		data = data[1:]
	}
	_, err := l.file.Write(data)
	if err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		l.drop()
		return err
	}
	l.torn = false
	return nil
}

// prepare makes sure that the open file is the one at path, and has room for n bytes.
func (l *lines) prepare(n int64) error {
	if l.file != nil && !l.current() {
		l.drop() // logrotate, or somebody else, has moved it
	}
	if l.file == nil {
		if err := l.open(); err != nil {
			return err
		}
	}
	if l.rotate.MaxBytes == 0 {
		return nil
	}
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() == 0 || info.Size()+n <= int64(l.rotate.MaxBytes) {
		return nil
	}
	l.drop()
	if err := shift(l.path, l.rotate.Keep); err != nil {
		return fmt.Errorf("rotate: %w", err)
	}
	return l.open()
}

// current reports whether path still names the open file.
func (l *lines) current() bool {
	have, err := l.file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(l.path)
	return err == nil && os.SameFile(have, named)
}

// open opens the file at path, which it creates, and sees whether a crash cut its last line.
func (l *lines) open() error {
	file, err := l.openAt(l.path)
	if err != nil {
		return err
	}
	torn, err := endsTorn(file)
	if err == nil {
		err = syncDir(filepath.Dir(l.path))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("open %s: %w", l.path, err), file.Close())
	}
	l.file, l.torn = file, torn
	return nil
}

func endsTorn(file appendFile) (bool, error) {
	info, err := file.Stat()
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() {
		return false, errors.New("not a regular file")
	}
	if info.Size() == 0 {
		return false, nil
	}
	var last [1]byte
	if _, err := file.ReadAt(last[:], info.Size()-1); err != nil {
		return false, err
	}
	return last[0] != '\n', nil
}

func (l *lines) drop() {
	if l.file != nil {
		_ = l.file.Close() // what counts was synced
		l.file = nil
	}
}

// shift renames path.1 to path.2 and so on up to keep, whose old file goes, and path to path.1. A
// crash in between leaves a gap and no file twice.
func shift(path string, keep int) error {
	for n := keep - 1; n >= 1; n-- {
		err := os.Rename(path+"."+strconv.Itoa(n), path+"."+strconv.Itoa(n+1))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.Rename(path, path+".1")
}

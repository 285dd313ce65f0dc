package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
)

// checkedAtOpen is how many of the newest records Open reads and checks.
const checkedAtOpen = 100

// Option changes how a log is opened. Callbacks run one after the other on a goroutine of their
// own: they may use the log, but not close it. The first may come before Open has returned.
type Option func(*options)

type options struct {
	every    time.Duration
	onLoss   func(Loss) error
	onDamage func(seq uint64, err error)
	onForget func(cursor string, pos uint64)

	noRebuild bool
}

// MaintainEvery sets how often old records and forgotten cursors are looked for: a minute if
// nothing else is said.
func MaintainEvery(d time.Duration) Option { return func(o *options) { o.every = d } }

// Loss is what is gone of the log before it was delivered.
type Loss struct {
	// Cursor lost them to drop_oldest. It is empty for records that were lost to damage when the file
	// was rebuilt: every cursor that had not passed them lost them.
	Cursor      string
	Records     int
	First, Last uint64 // they were between these sequence numbers
}

// OnLoss sets what is told of losses. A loss is remembered in the log until f returned nil: it is
// told again every ten seconds, and after the next Open. Losses that come meanwhile are told as one.
func OnLoss(f func(Loss) error) Option {
	return func(o *options) { o.onLoss = f }
}

// OnDamage sets what is told of a record that can not be read and is skipped, once a record. Number
// 0 means another part of the file.
func OnDamage(f func(seq uint64, err error)) Option {
	return func(o *options) { o.onDamage = f }
}

// OnForget sets what is told that a cursor nobody used for a day is gone, and its state with it.
func OnForget(f func(cursor string, pos uint64)) Option {
	return func(o *options) { o.onForget = f }
}

// NoRebuild has Open fail on a damaged file with an error that wraps ErrDamaged, and a running log go on
// with what SQLite can read, where otherwise the file is rebuilt. It is for looking at a file that shall
// stay as it is.
func NoRebuild() Option { return func(o *options) { o.noRebuild = true } }

// limits is what follows from Config.MaxBytes.
type limits struct {
	Config
	body       int   // the largest body
	group      int   // bytes of one transaction
	checkpoint int64 // bytes of write-ahead log that are merged into the file
	reserve    int64 // what the write-ahead log may need
	high       int64 // above this many bytes in use, records have to go
	low        int64 // until no more than this are in use
	keepFree   int64 // bytes of free pages that stay in the file
}

func newLimits(c Config) limits {
	m := int64(c.MaxBytes)
	l := limits{
		Config:     c,
		body:       int(min(m/8, 64<<20)),
		group:      int(min(m/32, 4<<20)),
		checkpoint: min(m/16, 8<<20),
	}
	l.reserve = 2 * l.checkpoint
	l.keepFree = 2 * int64(l.group)
	l.high = m - l.keepFree
	l.low = l.high - l.keepFree
	return l
}

// Open opens the log in dir, and creates both if they are not there. It fails if another process
// has it, or if the file there is not a log that this version can read.
func Open(ctx context.Context, dir string, c Config, opts ...Option) (*Log, error) {
	o := options{
		every:    time.Minute,
		onLoss:   func(Loss) error { return nil },
		onDamage: func(uint64, error) {},
		onForget: func(string, uint64) {},
	}
	for _, opt := range opts {
		opt(&o)
	}
	if err := errors.Join(ctx.Err(), c.Validate()); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, advise(dir, fmt.Errorf("create the data directory: %w", err))
	}
	l := &Log{path: filepath.Join(dir, "filelessd.db"), limits: newLimits(c)}
	l.queue = newQueue(l.limits.group)
	if l.lock, err = lockDir(dir); err != nil {
		return nil, advise(dir, err)
	}
	if err := l.open(o); err != nil {
		return nil, errors.Join(err, l.release())
	}
	return l, nil
}

func (l *Log) open(o options) error {
	// fdatasync is as durable and leaves out the file's times; it is SQLite's own choice wherever
	// its build can find it. Where the system has none, fsync stays.
	if _, err := sqlite.Fdatasync(true); err != nil && !errors.Is(err, sqlite.ErrFdatasyncUnavailable) {
		return err
	}
	if err := mayWrite(l.path); err != nil {
		return advise(filepath.Dir(l.path), err)
	}
	if err := finishRebuild(l.path); err != nil {
		return advise(filepath.Dir(l.path), err)
	}
	err := keepWAL(l.path, o.noRebuild)
	if err == nil {
		err = l.start(o)
	}
	if err != nil && isDamaged(l.path, err) {
		if o.noRebuild {
			return damagedFile{explain(l.path, err)}
		}
		err = l.startRebuilt(o, err)
	}
	if err != nil {
		return advise(filepath.Dir(l.path), explain(l.path, err))
	}
	go l.notify.loop()
	go l.writer.loop()
	return nil
}

// start connects to the file and reads what has to be in memory.
func (l *Log) start(o options) error {
	l.notify = newNotifier(o, l.told)
	l.writer = newWriter(l, o.every)
	if err := checkHeader(l.path); err != nil {
		return err
	}
	if err := prepareFile(l.path); err != nil {
		return err
	}
	err := l.writer.connect()
	if err == nil {
		err = l.writer.load()
	}
	if err == nil {
		l.tail.floor = l.writer.last
		l.newest.Store(l.writer.last)
		l.readers, err = openReaders(l.path)
	}
	if err == nil {
		err = l.checkNewest()
	}
	return err
}

// startRebuilt starts with a new file that holds what could be read of the damaged one.
func (l *Log) startRebuilt(o options, cause error) error {
	_ = l.disconnect() // what it says of a damaged file is known
	l.readers = readers{}
	found, err := rebuild(l.path, &known{})
	if err != nil {
		return fmt.Errorf("%w (it could not be rebuilt: %w)", cause, err)
	}
	if err := l.start(o); err != nil {
		return err
	}
	l.notify.rebuilt(l.path, cause, &found)
	return nil
}

// checkNewest reads the newest records, where a crash would have left its marks. A file that SQLite
// can not read there is not opened; a record that is damaged is left to those who read it.
func (l *Log) checkNewest() error {
	r, newest := l.readers.all[0], l.LastSeq()
	first := newest - min(newest, checkedAtOpen) + 1
	for seq := max(first, l.pruned+1); seq <= newest; seq++ {
		if seq = l.holes.Load().next(seq); seq > newest {
			break
		}
		_, err := r.number(seq)
		if errors.Is(err, ErrDamaged) {
			l.report([]damage{{seq, err}})
		} else if err != nil {
			return err
		}
	}
	return nil
}

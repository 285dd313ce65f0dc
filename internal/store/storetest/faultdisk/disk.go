package faultdisk

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"

	lib "modernc.org/sqlite/lib"
)

// sector is what a disk writes as one.
const sector = 512

// Op is what SQLite asks of a file.
type Op int

// The operations that can fail.
const (
	Read Op = iota
	Write
	Truncate
	Sync
	Delete
)

// Fault is how an operation fails.
type Fault int

// The ways to fail.
const (
	None  Fault = iota
	EIO         // nothing is done, or with Sync some of it
	Full        // ENOSPC: nothing is written
	Short       // ENOSPC after a part was written
)

// Disk is the disk below one directory.
type Disk struct {
	mu     sync.Mutex
	dir    string
	random *rand.Rand
	plan   func(op Op, name string) Fault
	files  map[string]*file
}

// file is what is known of one file. Durable is nil until it was synced for the first time.
type file struct {
	durable []byte
	synced  bool
	pending []change
}

// change is a write, or with no data and size set, a truncation.
type change struct {
	at   int64
	data []byte
	size int64
	cut  bool
}

// New puts a disk below dir, which is an absolute path. What is there counts as durable. Remove has
// to be called at the end.
func New(dir string, seed uint64) (*Disk, error) {
	if err := register(); err != nil {
		return nil, err
	}
	d := &Disk{dir: dir, random: rand.New(rand.NewPCG(seed, 1)), files: map[string]*file{}} //nolint:gosec // a test that can be repeated
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if info, err := os.Stat(name); err != nil || info.IsDir() {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		d.files[name] = &file{durable: b, synced: true}
	}
	disks.Store(dir, d)
	return d, nil
}

// Remove takes the disk away. Files that are open keep going through it.
func (d *Disk) Remove() { disks.Delete(d.dir) }

// Plan sets what fails from now on; nil for nothing. It is asked before every operation and may be
// called by several goroutines, one at a time.
func (d *Disk) Plan(plan func(op Op, name string) Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.plan = plan
}

// Cut writes to another directory what a power cut at this moment would leave.
func (d *Disk) Cut(to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, f := range d.files {
		if !f.synced {
			continue
		}
		b := append([]byte(nil), f.durable...)
		for _, c := range f.pending {
			b = d.partly(b, c)
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(name)), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// fault decides. The caller holds mu.
func (d *Disk) fault(op Op, name string) Fault {
	if d.plan == nil {
		return None
	}
	return d.plan(op, filepath.Base(name))
}

func (d *Disk) file(name string) *file {
	f := d.files[name]
	if f == nil {
		f = &file{}
		d.files[name] = f
	}
	return f
}

// partly applies any part of a change.
func (d *Disk) partly(b []byte, c change) []byte {
	switch d.random.IntN(3) {
	case 0:
		return b
	case 1:
		return c.apply(b)
	}
	if c.cut {
		return b
	}
	for off := 0; off < len(c.data); {
		end := min(off+sector-int((c.at+int64(off))%sector), len(c.data))
		if d.random.IntN(2) == 0 {
			b = change{at: c.at + int64(off), data: c.data[off:end]}.apply(b)
		}
		off = end
	}
	return b
}

func (c change) apply(b []byte) []byte {
	if c.cut {
		return b[:min(c.size, int64(len(b)))]
	}
	if end := c.at + int64(len(c.data)); end > int64(len(b)) {
		b = append(b, make([]byte, end-int64(len(b)))...)
	}
	copy(b[c.at:], c.data)
	return b
}

// write notes n bytes that a write has brought into the kernel.
func (d *Disk) write(name string, data []byte, at int64) {
	f := d.file(name)
	f.pending = append(f.pending, change{at: at, data: append([]byte(nil), data...)})
}

func (d *Disk) sync(name string, failed bool) {
	f := d.file(name)
	for _, c := range f.pending {
		if failed {
			f.durable = d.partly(f.durable, c)
		} else {
			f.durable = c.apply(f.durable)
		}
	}
	f.pending = nil
	f.synced = f.synced || !failed
}

// code is what SQLite's own VFS returns for a fault.
func (f Fault) code(op Op) int32 {
	switch {
	case f == Full || f == Short:
		return lib.SQLITE_FULL
	case op == Read:
		return lib.SQLITE_IOERR_READ
	case op == Write:
		return lib.SQLITE_IOERR_WRITE
	case op == Truncate:
		return lib.SQLITE_IOERR_TRUNCATE
	case op == Sync:
		return lib.SQLITE_IOERR_FSYNC
	default:
		return lib.SQLITE_IOERR_DELETE
	}
}

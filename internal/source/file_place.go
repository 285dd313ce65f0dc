package source

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"syscall"
	"time"
)

// headSize is how much of a file's beginning tells it from others: enough for the time of Falco's
// first alert, to the nanosecond.
const headSize = 256 // bytes

// A place is how far a file was read: what is saved.
type place struct {
	// File is the device and inode; empty if there was no file yet. Both are used again for other
	// files, and a compressed file is a new one, so what is in the file counts more.
	File string `json:"file"`
	// Offset is where the next line begins, in bytes; of a compressed file, unpacked.
	Offset int64 `json:"offset"`
	// Sum is the SHA-256 of the first Head bytes, none of them behind Offset.
	Head int    `json:"head"`
	Sum  string `json:"sum"`
	// Modified is when the file was last written, as far as is known. Rotated files that were
	// written later have not been read.
	Modified time.Time `json:"modified"`
}

// A reading is a file that is open.
type reading struct {
	path   string
	file   *os.File
	info   os.FileInfo // from when it was opened
	packed bool        // it is compressed, so it does not grow

	src  io.Reader
	pos  int64  // of src
	head []byte // what was read of the first headSize bytes
}

// openReading opens a file, at no place yet. It does not wait for the other end of a pipe.
func openReading(path string) (*reading, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return &reading{path: path, file: file, info: info, packed: strings.HasSuffix(path, packedExt)}, nil
}

// ProbeFile says what keeps a source from following the file at path. It reads nothing.
func ProbeFile(path string) error {
	r, err := openReading(path)
	if err != nil {
		return err
	}
	r.close()
	return nil
}

func (r *reading) close() { _ = r.file.Close() }

// begin reads from the beginning.
func (r *reading) begin() error {
	src := io.NewSectionReader(r.file, 0, math.MaxInt64)
	r.src, r.pos, r.head = src, 0, nil
	if !r.packed {
		return nil
	}
	unpacker, err := gzip.NewReader(src)
	r.src = unpacker
	return err
}

// beginAt reads from offset, or from the end if that comes before.
func (r *reading) beginAt(offset int64) error {
	if err := r.begin(); err != nil {
		return err
	}
	skim := offset
	if !r.packed {
		skim = min(offset, headSize)
	}
	if _, err := io.CopyN(io.Discard, r, skim); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if src, ok := r.src.(*io.SectionReader); ok && r.pos == skim && skim < offset {
		pos, err := src.Seek(min(offset, r.info.Size()), io.SeekStart)
		r.pos = pos
		return err
	}
	return nil
}

// Read reads the file and keeps its head.
func (r *reading) Read(p []byte) (int, error) {
	n, err := r.src.Read(p)
	if room := headSize - len(r.head); room > 0 {
		r.head = append(r.head, p[:min(n, room)]...)
	}
	r.pos += int64(n)
	return n, err
}

// replaced reports whether the beginning of the file is no longer what was read there: it was
// truncated and written anew.
func (r *reading) replaced() bool {
	if r.packed {
		return false
	}
	now := make([]byte, len(r.head))
	n, err := r.file.ReadAt(now, 0)
	return n < len(now) && (err == nil || errors.Is(err, io.EOF)) || !bytes.Equal(now[:n], r.head[:n])
}

// place is where a reading is when all lines before offset were handled.
func (r *reading) place(offset int64) place {
	p := place{File: fileID(r.info), Offset: offset, Modified: r.modified()}
	p.Head = int(min(offset, int64(len(r.head))))
	p.Sum = sum(r.head[:p.Head])
	return p
}

// modified is when the file was last written.
func (r *reading) modified() time.Time {
	if info, err := r.file.Stat(); err == nil {
		return info.ModTime().UTC()
	}
	return r.info.ModTime().UTC()
}

// is reports whether r is the file of which p tells, or a copy.
func (r *reading) is(p place) bool {
	if err := r.beginAt(int64(p.Head)); err != nil {
		return false
	}
	return len(r.head) == p.Head && sum(r.head) == p.Sum
}

// lastLine returns where the last line begins that has no newline yet: what comes after all that is
// whole. It looks back as far as a line may be long.
func (r *reading) lastLine() (int64, error) {
	buf := make([]byte, lineBuffer)
	size := r.info.Size()
	for end := size; end > 0 && size-end <= maxAlert; {
		start := max(0, end-lineBuffer)
		n, err := r.file.ReadAt(buf[:end-start], start)
		if int64(n) < end-start {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
		end = start
	}
	if size > maxAlert {
		return size, nil // the line is too long whatever it ends with
	}
	return 0, nil
}

func fileID(info os.FileInfo) string {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
	}
	return ""
}

func sum(head []byte) string {
	h := sha256.Sum256(head)
	return hex.EncodeToString(h[:])
}

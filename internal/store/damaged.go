package store

import (
	"errors"
	"math/bits"
	"os"

	lib "modernc.org/sqlite/lib"
)

// errHeader says that the file begins as no log does.
var errHeader = errors.New("its first page is damaged")

// isDamaged reports whether an error of opening the file comes from damage to it.
func isDamaged(path string, err error) bool {
	switch code(err) {
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return true
	case lib.SQLITE_ERROR:
		// The statements are ours, and so is the schema they are made for: it is not what it was.
		return true
	case lib.SQLITE_READONLY:
		// Its header says so, since the system does not.
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		return err == nil && f.Close() == nil
	}
	return errors.Is(err, errHeader) || errors.Is(err, errWAL) || errors.Is(err, errUnsound)
}

// damagedFile is an error that wraps ErrDamaged without saying so twice.
type damagedFile struct{ error }

func (e damagedFile) Unwrap() []error { return []error{ErrDamaged, e.error} }

// isAlmostOurs reports whether an application ID is ours but for a bit.
func isAlmostOurs(id int64) bool { return bits.OnesCount32(uint32(id)^applicationID) == 1 }

// checkHeader looks for what SQLite would not call damage: a file that has less than its first page is
// an empty one to it, and the write-ahead log is thrown away; one whose first page asks for a newer
// SQLite is only read.
func checkHeader(path string) error {
	m, err := openImage(path, path+"-wal")
	if err != nil {
		return err
	}
	b := make([]byte, pageSize)
	size := fileSize(path)
	ok, err := m.page(view{}, 1, b)
	if err == nil && (size > 0 || len(m.valid) > 0) && (size < pageSize || !ok || b[18] > 2 || b[19] > 2) {
		err = errHeader
	}
	return errors.Join(err, m.Close())
}

// Package smallfile reads files that an operator names: configurations, secrets, certificates. It neither waits
// for ever nor takes more memory than such a file needs.
package smallfile

import (
	"errors"
	"io"
	"os"
)

// Most is how many bytes a file may have.
const Most = 1 << 20

// What a file can be that is not read. An error of the system comes as it is.
var (
	ErrNotRegular = errors.New("not a regular file")
	ErrLarge      = errors.New("larger than 1 MiB")
)

// ReadRegular reads a file that is one, which opening a pipe would wait for, and a device never ends.
func ReadRegular(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, ErrNotRegular
	}
	return Read(name)
}

// Read reads a file of whatever kind, which may be a pipe.
func Read(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, Most+1))
	if err != nil {
		return nil, err
	}
	if len(data) > Most {
		return nil, ErrLarge
	}
	return data, nil
}

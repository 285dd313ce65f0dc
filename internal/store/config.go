package store

import (
	"encoding"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Config is the configuration of the log.
type Config struct {
	// Retention is how long a record stays after every sink has passed it.
	Retention time.Duration `yaml:"retention"`
	// MaxBytes is how much room the log may take on disk, its write-ahead log and free pages
	// included.
	MaxBytes Bytes `yaml:"max_bytes"`
	// OnFull says what gives way when MaxBytes is reached and no sink has passed what is there:
	// drop_oldest or refuse.
	OnFull string `yaml:"on_full"`
}

// DefaultConfig is what a configuration starts from.
func DefaultConfig() Config {
	return Config{Retention: 720 * time.Hour, MaxBytes: 2 << 30, OnFull: "drop_oldest"}
}

// Validate says what is wrong with c.
func (c Config) Validate() error {
	var errs []error
	if c.Retention < 0 {
		errs = append(errs, fmt.Errorf("retention: negative: %s", c.Retention))
	}
	if c.MaxBytes < 16<<20 {
		errs = append(errs, fmt.Errorf("max_bytes: want at least 16MiB, got %s", c.MaxBytes))
	}
	if c.OnFull != "drop_oldest" && c.OnFull != "refuse" {
		errs = append(errs, fmt.Errorf("on_full: want drop_oldest or refuse, got %q", c.OnFull))
	}
	return errors.Join(errs...)
}

// Bytes is a number of bytes, written as 2GiB, 500MB or 1024.
type Bytes int64

var _ encoding.TextUnmarshaler = (*Bytes)(nil)

// UnmarshalText reads a number with an optional unit: kB, MB, GB, TB or KiB, MiB, GiB, TiB.
func (b *Bytes) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	digits := strings.TrimRight(s, "BKMGTkmgtib ")
	unit, ok := byteUnit(strings.TrimSpace(s[len(digits):]))
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || !ok || n < 0 || n*float64(unit) >= 1<<62 {
		return fmt.Errorf("want a number of bytes such as 2GiB or 500MB, got %q", s)
	}
	*b = Bytes(n * float64(unit))
	return nil
}

func byteUnit(name string) (int64, bool) {
	switch strings.ToLower(name) {
	case "", "b":
		return 1, true
	case "kb":
		return 1e3, true
	case "mb":
		return 1e6, true
	case "gb":
		return 1e9, true
	case "tb":
		return 1e12, true
	case "kib":
		return 1 << 10, true
	case "mib":
		return 1 << 20, true
	case "gib":
		return 1 << 30, true
	case "tib":
		return 1 << 40, true
	}
	return 0, false
}

// String writes b in the largest binary unit that divides it.
func (b Bytes) String() string {
	for _, u := range []struct {
		size Bytes
		name string
	}{{1 << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if b >= u.size && b%u.size == 0 {
			return strconv.FormatInt(int64(b/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B"
}

// MarshalText writes what UnmarshalText reads.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

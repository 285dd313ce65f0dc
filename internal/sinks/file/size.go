package file

import (
	"fmt"
	"strconv"
	"strings"
)

// Size is a number of bytes, written as 100MiB, 1.5GB or 65536.
type Size int64

// UnmarshalText reads a number with an optional unit: kB, MB, GB or KiB, MiB, GiB.
func (s *Size) UnmarshalText(text []byte) error {
	value := strings.TrimSpace(string(text))
	digits := strings.TrimRight(value, "KMGkmgiIbB ")
	unit, ok := map[string]float64{
		"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30,
	}[strings.ToLower(strings.TrimSpace(value[len(digits):]))]
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || !ok || !(n >= 0 && n*unit < 1<<62) {
		return fmt.Errorf("want a number of bytes such as 100MiB, got %q", value)
	}
	*s = Size(n * unit)
	return nil
}

// String writes s in the largest binary unit that divides it.
func (s Size) String() string {
	unit := ""
	for _, next := range []string{"KiB", "MiB", "GiB"} {
		if s == 0 || s%1024 != 0 {
			break
		}
		s, unit = s/1024, next
	}
	return strconv.FormatInt(int64(s), 10) + unit
}

// MarshalText writes what UnmarshalText reads.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

package event

import (
	"strings"
	"testing"
)

// TestPlainFrom holds the search by eight bytes to the search by one.
func TestPlainFrom(t *testing.T) {
	special := func(c byte) bool { return c < ' ' || c == '"' || c == '\\' || c >= 0x80 }
	slow := func(s string, i int) int {
		for i < len(s) && !special(s[i]) {
			i++
		}
		return i
	}
	for c := range 256 {
		for d := range 256 {
			for _, at := range []int{0, 1, 6, 7, 8, 13} {
				text := []byte(strings.Repeat("~", 15))
				text[at], text[at+1] = byte(c), byte(d)
				s := string(text)
				for i := range 9 {
					if got, want := plainFrom(s, i), slow(s, i); got != want {
						t.Fatalf("plainFrom(%q, %d) = %d, want %d", s, i, got, want)
					}
				}
			}
		}
	}
}

package report_test

import (
	"flag"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// hostile returns the values of testdata/hostile.txt by their names.
func hostile(t testing.TB) map[string]string {
	t.Helper()
	data, err := os.ReadFile("testdata/hostile.txt")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		parts := strings.SplitN(line, " ", 3)
		times, err := strconv.Atoi(parts[1])
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		value, err := strconv.Unquote(parts[2])
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		values[parts[0]] = strings.Repeat(value, times)
	}
	return values
}

// unseen reports whether r is one of the characters that Unicode's properties call control,
// format, bidirectional, joining, ignorable, variation selector, or white space but for the space.
func unseen(r rune) bool {
	return r != ' ' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Bidi_Control, unicode.Join_Control,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, unicode.White_Space)
}

// seed adds the hostile values that are short enough to be changed a thousand times a second.
// Without -fuzz the tests by name have tried them all.
func seed(f *testing.F) {
	if flag.Lookup("test.fuzz").Value.String() == "" {
		f.Add("a\n\u202e")
		return
	}
	for _, value := range hostile(f) {
		if len(value) < 1000 {
			f.Add(value)
		}
	}
}

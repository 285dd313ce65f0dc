package render_test

import (
	"flag"
	"testing"
)

func FuzzMarkdown(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, value string) {
		newReader(func(page []byte) []byte { return toHTML(t, gfm, page) }).check(t, value)
	})
}

func FuzzText(f *testing.F) {
	seed(f)
	f.Fuzz(checkTextHostile)
}

// seed adds the hostile values that are short enough to be changed a thousand times a second.
// Without -fuzz the tests by name have tried them all.
func seed(f *testing.F) {
	if flag.Lookup("test.fuzz").Value.String() == "" {
		f.Add("a | `b` <c>")
		return
	}
	for _, value := range hostile(f) {
		if len(value) < 1000 {
			f.Add(value)
		}
	}
}

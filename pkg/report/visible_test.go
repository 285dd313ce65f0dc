package report_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/filelessd/filelessd/pkg/report"
)

func TestVisible(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nothing to do", "3 run helper.DoNothing", "3 run helper.DoNothing"},
		{"empty", "", ""},
		{"letters of other scripts", "größe Привет 警告 שלום", "größe Привет 警告 שלום"},
		{"accent as a mark of its own", "e\u0301", "e\u0301"},
		{"end of line", "a\nb\r\n", `a\nb\r\n`},
		{"tab", "a\tb", `a\tb`},
		{"NUL and escape", "\x00\x1b[2J\x7f", `\x00\x1b[2J\x7f`},
		{"C1 control", "\u009b31m", `\u009b31m`},
		{"bidirectional override", "\u202egpj.exe", `\u202egpj.exe`},
		{"zero width", "ro\u200bot\ufeff", `ro\u200bot\ufeff`},
		{"other spaces", "a\u00a0b\u3000c\u2028", `a\u00a0b\u3000c\u2028`},
		{"blank letters", "\u3164\uffa0\u2800\U0001d159", `\u3164\uffa0\u2800\U0001d159`},
		{"ignorable, but not assigned", "\u2065", `\u2065`},
		{"tags", "\U000e0041", `\U000e0041`},
		{"private use", "\ue000", `\ue000`},
		{"no character", "\ufffe\U0001ffff", `\ufffe\U0001ffff`},
		{"replacement character", "\ufffd", "\ufffd"},
		{"bytes that are not UTF-8", "a\xff\xc0\xaf", `a\xff\xc0\xaf`},
		{"surrogate", "\xed\xa0\x80", `\xed\xa0\x80`},
		{"marks within reason", "x\u0300\u0301\u0302", "x\u0300\u0301\u0302"},
		{"a stack of marks", "x\u0300\u0301\u0302\u0303y", "x\u0300\u0301\u0302" + `\u0303` + "y"},
		{"a mark with nothing to stand on", "\u0338x", `\u0338x`},
		{"what looks like an escape", `\n`, `\n`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := report.Visible(c.in); got != c.want {
				t.Errorf("Visible(%+q) = %+q, want %+q", c.in, got, c.want)
			}
		})
	}
}

// TestVisibleEveryCharacter asks of each character whether it may stand for itself. Between the
// ideographs and plane 14, and behind that, Unicode assigns nothing but private use.
func TestVisibleEveryCharacter(t *testing.T) {
	for r := rune(0); r <= 0xe0fff; r++ {
		if r == 0x34000 {
			r = 0xe0000
		}
		if !utf8.ValidRune(r) {
			continue
		}
		got := report.Visible("a" + string(r))
		switch stays := got == "a"+string(r); {
		case stays && (unseen(r) || !unicode.IsPrint(r)):
			t.Fatalf("%U can not be seen", r)
		case !stays && (unicode.In(r, unicode.Nd, unicode.P, unicode.Sc, unicode.Sm, unicode.Lu, unicode.Ll)):
			t.Fatalf("%U can be seen, and is escaped", r)
		case !stays && !strings.HasPrefix(got, `a\`):
			t.Fatalf("%U becomes %+q", r, got)
		}
	}
}

func TestVisibleHostile(t *testing.T) {
	for name, value := range hostile(t) {
		t.Run(name, func(t *testing.T) { checkVisible(t, report.Visible(value)) })
	}
}

// checkVisible asserts what holds for every result of Visible.
func checkVisible(t *testing.T, got string) {
	t.Helper()
	marks := 3 // as if something with marks came before
	for i, r := range got {
		if r == utf8.RuneError && !strings.HasPrefix(got[i:], "\ufffd") {
			t.Fatalf("%+q is not UTF-8", got)
		}
		if unseen(r) || !unicode.IsPrint(r) {
			t.Fatalf("%+q has %U", got, r)
		}
		if !unicode.In(r, unicode.Mn, unicode.Me) {
			marks = 0
		} else if marks++; marks > 3 {
			t.Fatalf("%+q has more than three marks on a character", got)
		}
	}
	if again := report.Visible(got); again != got {
		t.Fatalf("made visible twice: %+q, then %+q", got, again)
	}
}

func FuzzVisible(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, value string) {
		got := report.Visible(value)
		checkVisible(t, got)
		if len(got) < len(value) {
			t.Fatalf("%+q lost something: %+q", value, got)
		}
	})
}

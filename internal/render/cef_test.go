package render_test

import (
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/filelessd/filelessd/internal/render"
	"github.com/filelessd/filelessd/pkg/report"
)

// readCEF reads a line as the format's specification says, knowing nothing of its writer.
func readCEF(line string) (header []string, extension map[string]string, err error) {
	var part strings.Builder
	rest := line
	for len(header) < 7 {
		i := strings.IndexAny(rest, `\|`)
		if i < 0 {
			return nil, nil, fmt.Errorf("a header of %d parts", len(header))
		}
		part.WriteString(rest[:i])
		if rest[i] == '\\' {
			if i+1 == len(rest) || !strings.ContainsRune(`\|`, rune(rest[i+1])) {
				return nil, nil, fmt.Errorf("a lone backslash in the header")
			}
			part.WriteByte(rest[i+1])
			rest = rest[i+2:]
			continue
		}
		header = append(header, part.String())
		part.Reset()
		rest = rest[i+1:]
	}
	extension = map[string]string{}
	keys := regexp.MustCompile(`(?:^| )([A-Za-z0-9]+)=`).FindAllStringSubmatchIndex(rest, -1)
	for n, at := range keys {
		end := len(rest)
		if n+1 < len(keys) {
			end = keys[n+1][0]
		}
		key, raw := rest[at[2]:at[3]], rest[at[1]:end]
		value := strings.NewReplacer(`\\`, `\`, `\=`, `=`).Replace(raw)
		if left := strings.NewReplacer(`\\`, "", `\=`, "").Replace(raw); strings.ContainsAny(left, `\=`) {
			return nil, nil, fmt.Errorf("%s: not escaped: %q", key, raw)
		}
		if _, twice := extension[key]; twice {
			return nil, nil, fmt.Errorf("%s: given twice", key)
		}
		extension[key] = value
	}
	return header, extension, nil
}

var cefKeys = strings.Fields("rt externalId cat cnt start end cs1Label cs1 cs2Label cs2 cn1Label cn1 flexString1Label flexString1 " +
	"flexString2Label flexString2 dvchost dhost duser duid dproc dpid filePath sproc spid cs3Label cs3 cs4Label cs4 cs5Label cs5 cs6Label cs6 msg")

// checkCEF holds a line to what no text of an alert may change: its parts, keys and lengths.
func checkCEF(t *testing.T, r *report.Report) map[string]string {
	t.Helper()
	line := string(render.CEF(r))
	if !utf8.ValidString(line) || report.Visible(line) != line {
		t.Fatalf("not one visible line: %.300q", line)
	}
	header, extension, err := readCEF(line)
	if err != nil {
		t.Fatalf("%v: %.300q", err, line)
	}
	if header[0] != "CEF:0" || header[1] != "filelessd" || header[2] != "filelessd" || !regexp.MustCompile(`^(\d|10)$`).MatchString(header[6]) {
		t.Fatalf("header %q", header)
	}
	for key, value := range extension {
		if !slices.Contains(cefKeys, key) {
			t.Fatalf("an unknown key %q in %.300q", key, line)
		}
		if most := map[bool]int{true: 4000, false: 1023}[strings.HasPrefix(key, "cs") || strings.HasPrefix(key, "flex")]; utf8.RuneCountInString(value) > most+1 {
			t.Errorf("%s has %d characters", key, utf8.RuneCountInString(value))
		}
	}
	if extension["externalId"] != r.ID {
		t.Fatalf("externalId %q, want %q", extension["externalId"], r.ID)
	}
	return extension
}

func TestCEFKeepsHostileTextInItsPlace(t *testing.T) {
	for _, value := range hostile(t) {
		r := everywhere(value)
		r.ID = "0123"
		checkCEF(t, r)
	}
}

func TestCEFTellsWhatMatters(t *testing.T) {
	r := full(t)
	r.Event.SetField("proc.cmdline", `a=b \ | c`)
	got := checkCEF(t, r)
	if got["cs4Label"] != "proc.cmdline" || got["cs4"] != `a=b \ | c` || got["cs1"] != string(r.Verdict) || got["cn1"] != fmt.Sprint(r.Score) {
		t.Errorf("%q", got)
	}
	for _, r := range others(t) {
		checkCEF(t, r)
	}
}

func FuzzCEF(f *testing.F) {
	seed(f)
	f.Add(`cs1=x|CEF:0|\| \= dhost=evil`)
	if flag.Lookup("test.fuzz").Value.String() == "" {
		f.Add("\\")
	}
	f.Fuzz(func(t *testing.T, value string) {
		r := everywhere(value)
		r.ID = "0123"
		checkCEF(t, r)
	})
}

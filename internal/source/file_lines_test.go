package source

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cutAll reads src to its end with lines, and returns all lines, the number of those left out, and
// how much they take.
func cutAll(t *testing.T, src io.Reader, longest int) (all []string, tooLong int, size int64) {
	t.Helper()
	l := &lines{src: src, max: longest}
	add := func(c chunk) {
		if len(c.lines) > maxLines {
			t.Errorf("%d lines at a time", len(c.lines))
		}
		for _, line := range c.lines {
			all = append(all, string(line))
		}
		tooLong += c.tooLong
		size += c.size
	}
	for {
		c, err := l.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || c.size == 0 {
			t.Fatalf("%d bytes, %v", c.size, err)
		}
		add(c)
	}
	add(l.rest())
	return all, tooLong, size
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	tests := []struct {
		name    string
		text    string
		want    []string
		tooLong int
	}{
		{"nothing", "", nil, 0},
		{"some", "a\nbc\nd\n", []string{"a", "bc", "d"}, 0},
		{"no newline at the end", "a\nb", []string{"a", "b"}, 0},
		{"blank", "\n\na\n\n", []string{"", "", "a", ""}, 0},
		{"as long as allowed", long + "\na\n", []string{long, "a"}, 0},
		{"too long", "a\n" + long + "x\nb\n", []string{"a", "b"}, 1},
		{"far too long", "a\n" + long + long + long + "\nb\n" + long + "xy\n", []string{"a", "b"}, 2},
		{"too long at the end", "a\n" + long + long, []string{"a"}, 1},
		{"larger than the buffer together", long + "\n" + long + "\n" + long + "\n", []string{long, long, long}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, tooLong, size := cutAll(t, strings.NewReader(tt.text), len(long))
			if diff := cmp.Diff(tt.want, got); diff != "" || tooLong != tt.tooLong {
				t.Errorf("%d too long, want %d (-want +got):\n%s", tooLong, tt.tooLong, diff)
			}
			if size != int64(len(tt.text)) {
				t.Errorf("%d bytes, want %d", size, len(tt.text))
			}
		})
	}
}

// A line waits for its newline over any number of looks, and lines come in large batches when
// there is much to read.
func TestLinesGrow(t *testing.T) {
	var file bytes.Buffer
	l := &lines{src: &file, max: maxAlert}
	for _, part := range []string{"a", "b", "", "c"} {
		file.WriteString(part)
		if c, err := l.next(); c.size != 0 || !errors.Is(err, io.EOF) {
			t.Fatalf("%+v, %v", c, err)
		}
	}
	file.WriteString("\n")
	if c, err := l.next(); err != nil || c.size != 4 || string(c.lines[0]) != "abc" {
		t.Fatalf("%+v, %v", c, err)
	}

	file.WriteString(strings.Repeat(strings.Repeat("x", 1500)+"\n", 5000))
	most := 0
	for {
		c, err := l.next()
		if err != nil {
			break
		}
		most = max(most, len(c.lines))
	}
	if most != maxLines {
		t.Errorf("at most %d lines at a time, want %d", most, maxLines)
	}
	if cap(l.buf) > lineBuffer {
		t.Errorf("%d bytes are held at the end", cap(l.buf))
	}
}

func TestLinesTooLongTakesNoMemory(t *testing.T) {
	l := &lines{src: io.LimitReader(repeat('x'), 50<<20), max: maxAlert}
	if c, err := l.next(); c.size != 0 || !errors.Is(err, io.EOF) {
		t.Fatalf("%+v, %v", c, err)
	}
	if cap(l.buf) > maxAlert+1 {
		t.Errorf("%d bytes are held", cap(l.buf))
	}
	if c := l.rest(); c.tooLong != 1 || c.size != 50<<20 {
		t.Errorf("%d too long, %d bytes", c.tooLong, c.size)
	}
}

type repeat byte

func (r repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r)
	}
	return len(p), nil
}

// borders reads in chunks of random length, which can be none, and meets the end now and then.
type borders struct {
	data []byte
	rand *rand.Rand
}

func (b *borders) Read(p []byte) (int, error) {
	n := min(b.rand.IntN(20), len(p), len(b.data))
	copy(p, b.data[:n])
	b.data = b.data[n:]
	if len(b.data) == 0 {
		return n, io.EOF
	}
	return n, nil
}

func FuzzFileLines(f *testing.F) {
	f.Add([]byte("a\n\nb\r\nlonger than allowed\nc"), uint64(1), uint8(10))
	f.Add([]byte("a\n\xff\x00\n\n\n"), uint64(2), uint8(0))
	f.Fuzz(func(t *testing.T, text []byte, seed uint64, longest uint8) {
		var want []string
		wantLong := 0
		for line := range bytes.Lines(text) {
			if line = bytes.TrimSuffix(line, []byte("\n")); len(line) > int(longest) {
				wantLong++
			} else {
				want = append(want, string(line))
			}
		}
		src := &borders{bytes.Clone(text), rand.New(rand.NewPCG(seed, 0))}
		got, tooLong, size := cutAll(t, src, int(longest))
		if diff := cmp.Diff(want, got); diff != "" || tooLong != wantLong || size != int64(len(text)) {
			t.Errorf("%d too long of %d, %d bytes of %d (-want +got):\n%s", tooLong, wantLong, size, len(text), diff)
		}
	})
}

package source

import (
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFileRotatedWhileFollowed(t *testing.T) {
	tests := []struct {
		name   string
		rotate func(b *fileBubble) // after "a" was read
		want   string
	}{
		{"renamed", func(b *fileBubble) {
			b.write("", alerts("b"))
			b.rename("", ".1")
			b.write("", alerts("c"))
		}, "b c"},
		{"renamed, late writes", func(b *fileBubble) {
			b.rename("", ".1")
			b.write("", alerts("d"))
			time.Sleep(settle / 2)
			b.write(".1", alerts("b"))
			time.Sleep(settle / 2)
			b.write(".1", alerts("c"))
		}, "b c d"},
		{"renamed, the new one comes later", func(b *fileBubble) {
			b.rename("", ".1")
			b.wait()
			b.write(".1", alerts("b"))
			b.wait()
			b.write("", alerts("c"))
		}, "b c"},
		{"renamed within a line", func(b *fileBubble) {
			b.write("", `{"rule":"b"}`)
			b.rename("", ".1")
			b.write("", alerts("c"))
		}, "b c"},
		{"renamed within a line, which is finished before there is a new one", func(b *fileBubble) {
			b.write("", `{"rule":`)
			b.rename("", ".1")
			b.wait()
			b.write(".1", `"b"}`+"\n")
			b.wait()
			b.write("", alerts("c"))
		}, "b c"},
		{"renamed to a strange name", func(b *fileBubble) {
			b.write("", alerts("b"))
			b.rename("", ".old")
			b.write("", alerts("c"))
		}, "b c"},
		{"renamed three times at once", func(b *fileBubble) {
			b.write("", alerts("b"))
			b.rename("", ".1")
			b.write("", alerts("c"))
			b.rename(".1", ".2")
			b.rename("", ".1")
			b.write("", alerts("d"))
			b.rename(".2", ".3")
			b.rename(".1", ".2")
			b.rename("", ".1")
			b.write("", alerts("e"))
		}, "b c d e"},
		{"deleted", func(b *fileBubble) {
			b.write("", alerts("b"))
			b.must(os.Remove(b.name("")))
			b.wait()
			b.write("", alerts("c"))
		}, "b c"},
		{"copied and truncated", func(b *fileBubble) {
			b.write("", alerts("b"))
			b.copyTruncate(".1")
			b.write("", alerts("c"))
		}, "b c"},
		{"copied and truncated, more written than before", func(b *fileBubble) {
			b.write("", alerts("b"))
			b.copyTruncate(".1")
			b.write("", alerts("c", "d", "e", "f", "g"))
		}, "b c d e f g"},
		{"copied before the last was read", func(b *fileBubble) {
			b.must(os.WriteFile(b.name(".1"), []byte(alerts("a")), 0o600))
			b.write("", alerts("b"))
			b.wait()
			b.must(os.Truncate(b.name(""), 0))
			b.write("", alerts("c"))
		}, "b c"},
		{"copied and truncated, twice", func(b *fileBubble) {
			b.write("", alerts("b"))
			b.copyTruncate(".1")
			b.write("", alerts("c"))
			b.rename(".1", ".2")
			b.copyTruncate(".1")
			b.write("", alerts("d"))
		}, "b c d"},
		{"truncated", func(b *fileBubble) {
			b.must(os.Truncate(b.name(""), 0))
			b.wait()
			b.write("", alerts("b"))
		}, "b"},
		{"cut shorter", func(b *fileBubble) {
			long := strings.Repeat("b", headSize)
			b.write("", alerts(long))
			b.check(long)
			b.write("", alerts("c"))
			b.check("c")
			b.must(os.Truncate(b.name(""), int64(len(alerts("a", long)))))
		}, "a " + strings.Repeat("b", headSize)},
		{"truncated to the same length", func(b *fileBubble) {
			b.must(os.Truncate(b.name(""), 0))
			b.write("", alerts("b"))
			// The clock of the file system need not have moved.
			b.must(os.Chtimes(b.name(""), time.Time{}, time.Now().Add(time.Hour)))
		}, "b"},
		{"truncated within a line", func(b *fileBubble) {
			b.write("", `{"rule":`)
			b.wait()
			b.must(os.Truncate(b.name(""), 0))
			b.write("", alerts("b", "c"))
		}, "b c"},
		{"copied, and goes on", func(b *fileBubble) {
			b.must(os.WriteFile(b.name(".1"), []byte(alerts("a")), 0o600))
			b.write("", alerts("b"))
		}, "b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, "beginning", func(b *fileBubble) {
				b.write("", alerts("a"))
				b.start()
				b.check("a")
				tt.rotate(b)
				b.check(tt.want)
				b.write("", alerts("z"))
				b.check("z")
				b.stop()
				b.start()
				b.check("")
				if n := b.rejected.all(); len(n) != 0 {
					t.Errorf("rejected: %v", n)
				}
			})
		})
	}
}

func TestFileRotatedWhileDown(t *testing.T) {
	tests := []struct {
		name   string
		rotate func(b *fileBubble) // "a" was read, "b" was not
		want   string
	}{
		{"not", func(*fileBubble) {}, "b"},
		{"renamed", func(b *fileBubble) {
			b.rename("", ".1")
			b.write("", alerts("c"))
		}, "b c"},
		{"renamed, and nothing new", func(b *fileBubble) { b.rename("", ".1") }, "b"},
		{"renamed three times", func(b *fileBubble) {
			b.rename("", ".3")
			b.write(".2", alerts("c"))
			b.write(".1", alerts("d"))
			b.write("", alerts("e"))
		}, "b c d e"},
		{"renamed three times, and nothing new", func(b *fileBubble) {
			b.rename("", ".3")
			b.write(".2", alerts("c"))
			b.write(".1", alerts("d"))
		}, "b c d"},
		{"renamed ten times", func(b *fileBubble) {
			b.rename("", ".10")
			for i := 9; i > 0; i-- {
				b.write(fmt.Sprint(".", i), alerts(fmt.Sprint(i)))
			}
		}, "b 9 8 7 6 5 4 3 2 1"},
		{"named by dates", func(b *fileBubble) {
			b.rename("", "-20260930")
			b.write("-20261001", alerts("c"))
			b.write("-20261002", alerts("d"))
			b.write("", alerts("e"))
		}, "b c d e"},
		{"named before the extension", func(b *fileBubble) {
			dir := filepath.Dir(b.name(""))
			b.must(os.Rename(b.name(""), filepath.Join(dir, "events.2.json")))
			b.must(os.WriteFile(filepath.Join(dir, "events.1.json"), []byte(alerts("c")), 0o600))
			b.write("", alerts("d"))
		}, "b c d"},
		{"written in another order than numbered", func(b *fileBubble) {
			b.rename("", ".1")
			b.write(".2", alerts("c"))
			b.must(os.Chtimes(b.name(".2"), time.Time{}, time.Now().AddDate(100, 0, 0)))
			b.write("", alerts("d"))
		}, "b c d"},
		{"compressed", func(b *fileBubble) {
			b.rename("", ".3")
			b.compress(".3")
			b.write(".2", alerts("c"))
			b.compress(".2")
			b.write(".1", alerts("d"))
			b.write("", alerts("e"))
		}, "b c d e"},
		{"being compressed", func(b *fileBubble) {
			b.rename("", ".1")
			file, err := os.Create(b.name(".1.gz"))
			b.must(err)
			w := gzip.NewWriter(file)
			_, err = w.Write([]byte(alerts("a")))
			b.must(err)
			b.must(w.Flush()) // so far
			b.must(file.Close())
			b.write("", alerts("c"))
		}, "b c"},
		{"one can not be read", func(b *fileBubble) {
			b.rename("", ".3")
			b.write(".2.gz", "not compressed at all")
			b.write(".1", alerts("d"))
			b.write("", alerts("e"))
		}, "b d e"},
		{"copied and truncated", func(b *fileBubble) {
			b.copyTruncate(".1")
			b.write("", alerts("c"))
		}, "b c"},
		{"copied and truncated twice, more written than before", func(b *fileBubble) {
			b.copyTruncate(".2")
			b.write("", alerts("c"))
			b.copyTruncate(".1")
			b.write("", alerts("d", "e", "f"))
		}, "b c d e f"},
		{"copied, then renamed", func(b *fileBubble) {
			b.must(os.WriteFile(b.name(".2"), []byte(alerts("a")), 0o600))
			b.rename("", ".1")
			b.must(os.Chtimes(b.name(".1"), time.Time{}, time.Now().AddDate(100, 0, 0)))
			b.write("", alerts("c"))
		}, "b c"},
		{"moved to another file system and back", func(b *fileBubble) {
			data, err := os.ReadFile(b.name(""))
			b.must(err)
			b.write(".new", string(data)+alerts("c"))
			b.rename(".new", "")
		}, "b c"},
		{"other files beside it", func(b *fileBubble) {
			b.write(".bak", alerts("x"))
			b.write("l", alerts("x"))
			b.write(".1.tmp", alerts("x"))
			b.write("", alerts("c"))
		}, "b c"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, "end", func(b *fileBubble) {
				b.write(".99", alerts("older"))
				old := time.Now().AddDate(20, 0, 0) // in the past, seen from outside of the bubble
				b.must(os.Chtimes(b.name(".99"), old, old))
				b.write("", "")
				b.start()
				b.write("", alerts("a"))
				b.check("a")
				b.stop()
				b.write("", alerts("b"))
				tt.rotate(b)
				b.start()
				b.check(tt.want)
				b.write("", alerts("z"))
				b.check("z")
				if n := b.rejected.all(); len(n) != 0 {
					t.Errorf("rejected: %v", n)
				}
			})
		})
	}
}

package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/event"
)

func TestFileGone(t *testing.T) {
	inBubble(t, "end", func(b *fileBubble) {
		b.write("", "")
		b.start()
		b.write("", alerts("a"))
		b.check("a")
		b.stop()
		b.must(os.Remove(b.name("")))
		b.write(".2", alerts("older"))
		b.must(os.Chtimes(b.name(".2"), time.Time{}, time.Now().AddDate(20, 0, 0)))
		b.write(".1", alerts("later"))
		b.must(os.Chtimes(b.name(".1"), time.Time{}, time.Now().AddDate(100, 0, 0)))
		b.write("", alerts("b"))
		b.setFail(errors.New("not yet"))
		b.start()
		b.stop()
		b.setFail(nil)
		b.start()
		b.check("later b")
	})
}

func TestFileGoneIsShown(t *testing.T) {
	inBubble(t, "end", func(b *fileBubble) {
		b.write("", "")
		b.start()
		b.write("", alerts("a"))
		b.check("a")
		b.stop()
		b.must(os.Remove(b.name("")))
		b.write(".new", "")
		b.rename(".new", "")
		b.start()
		if s := b.Status(); s.State != "following" || !strings.Contains(s.LastError, "gone") {
			t.Errorf("status: %+v", s)
		}
		b.write("", alerts("b"))
		b.check("b")
		if s := b.Status(); s.LastError != "" {
			t.Errorf("status: %+v", s)
		}
	})
}

func TestFileCompressedAndDamaged(t *testing.T) {
	inBubble(t, "end", func(b *fileBubble) {
		b.write("", "")
		b.start()
		text := make([]byte, 100_000) // does not compress, so that the head is far from the damage
		for i := range text {
			text[i] = 'a' + byte(rand.IntN(26))
		}
		b.write("", alerts(string(text)))
		b.check(string(text))
		b.stop()
		b.rename("", ".1")
		b.compress(".1")
		b.must(os.Truncate(b.name(".1.gz"), 50_000))
		b.write("", alerts("b"))
		b.start()
		b.check("b")
	})
}

// A new file with the inode of the old is not taken for it.
func TestFileInodeReused(t *testing.T) {
	for _, content := range []string{alerts("b"), alerts("b", "c", "d", "e")} {
		inBubble(t, "beginning", func(b *fileBubble) {
			b.write("", alerts("a"))
			b.start()
			b.check("a")
			b.stop()
			b.must(os.WriteFile(b.name(""), []byte(content), 0o600)) // keeps the inode
			b.start()
			b.check(strings.Join(rulesOf(content), " "))
		})
	}
}

// What is known of a file before anything of it was handled is little, and has to do.
func TestFileRotatedUnread(t *testing.T) {
	t.Run("the first", func(t *testing.T) {
		inBubble(t, "beginning", func(b *fileBubble) {
			b.write("", alerts("a"))
			b.setFail(errors.New("not yet"))
			b.start()
			b.stop()
			b.setFail(nil)
			b.rename("", ".1")
			b.write("", alerts("b"))
			b.start()
			b.check("a b")
		})
	})
	t.Run("a later one, compressed", func(t *testing.T) {
		inBubble(t, "beginning", func(b *fileBubble) {
			b.ticks = 1
			b.write("", alerts("a"))
			b.start()
			b.check("a")
			b.setFail(errors.New("not yet"))
			b.rename("", ".1")
			b.write("", alerts("b"))
			b.wait()
			b.stop()
			b.setFail(nil)
			b.rename(".1", ".2")
			b.rename("", ".1")
			b.compress(".1")
			b.write("", alerts("c"))
			b.start()
			b.check("b c")
		})
	})
}

// To empty the file by hand is no fault.
func TestFileTruncatedIsNotShown(t *testing.T) {
	inBubble(t, "beginning", func(b *fileBubble) {
		b.write("", alerts("a"))
		b.start()
		b.check("a")
		b.must(os.Truncate(b.name(""), 0))
		b.wait()
		if s := b.Status(); s.State != "following" || s.LastError != "" {
			t.Errorf("status: %+v", s)
		}
	})
}

// What is being stored when the source is stopped is stored, and not read again.
func TestFileStop(t *testing.T) {
	inBubble(t, "beginning", func(b *fileBubble) {
		b.write("", alerts("a"))
		b.File = mustOpenFile(t, b.config, b.env)
		ctx, cancel := context.WithCancel(b.t.Context())
		err := b.Run(ctx, func(ctx context.Context, _ []event.Event) error {
			cancel()
			time.Sleep(stopBound / 2)
			return ctx.Err()
		})
		if err != nil {
			t.Error(err)
		}
		b.start()
		b.check("")
	})
	inBubble(t, "beginning", func(b *fileBubble) {
		b.write("", alerts("a"))
		b.File = mustOpenFile(t, b.config, b.env)
		ctx, cancel := context.WithCancel(b.t.Context())
		start := time.Now()
		err := b.Run(ctx, func(ctx context.Context, _ []event.Event) error {
			cancel()
			<-ctx.Done()
			return ctx.Err()
		})
		if took := time.Since(start); err != nil || took != stopBound {
			t.Errorf("stopped after %s: %v", took, err)
		}
		b.start()
		b.check("a")
	})
}

func rulesOf(text string) []string {
	var rules []string
	for line := range strings.Lines(text) {
		var a struct{ Rule string }
		if json.Unmarshal([]byte(line), &a) == nil && a.Rule != "" {
			rules = append(rules, a.Rule)
		}
	}
	return rules
}

func TestFileRestartAtAnyByte(t *testing.T) {
	text := alerts("a") + "\r\n\n" + alerts("bb", "ccc")
	for i := range len(text) + 1 {
		inBubble(t, "beginning", func(b *fileBubble) {
			b.write("", text[:i])
			b.start()
			b.stop()
			b.write("", text[i:])
			b.start()
			b.check("a bb ccc")
			if n := b.rejected.all(); len(n) != 0 {
				t.Errorf("stopped after %d bytes: rejected %v", i, n)
			}
		})
	}
}

func TestFileHandleFails(t *testing.T) {
	inBubble(t, "beginning", func(b *fileBubble) {
		b.write("", alerts("a"))
		b.start()
		b.check("a")
		offset, _ := b.env.Offsets.LoadOffset(t.Context(), b.name(""))
		b.setFail(errors.New("disk full"))
		b.write("", alerts("b"))
		b.check("")
		if s := b.Status(); !strings.Contains(s.LastError, "disk full") {
			t.Errorf("status: %+v", s)
		}
		b.stop()
		now, _ := b.env.Offsets.LoadOffset(t.Context(), b.name(""))
		if diff := cmp.Diff(string(offset), string(now)); diff != "" {
			t.Errorf("the offset moved over alerts that were not stored:\n%s", diff)
		}
		b.start()
		b.setFail(nil)
		b.check("b")
		if s := b.Status(); s.LastError != "" {
			t.Errorf("status: %+v", s)
		}
	})
}

// failingOffsets fails so many times.
type failingOffsets struct {
	memoryOffsets
	loads, saves int
}

func (f *failingOffsets) LoadOffset(ctx context.Context, key string) ([]byte, error) {
	if f.loads--; f.loads >= 0 {
		return nil, errors.New("busy")
	}
	return f.memoryOffsets.LoadOffset(ctx, key)
}

func (f *failingOffsets) SaveOffset(ctx context.Context, key string, offset []byte) error {
	if f.saves--; f.saves >= 0 {
		return errors.New("busy")
	}
	return f.memoryOffsets.SaveOffset(ctx, key, offset)
}

func TestFileOffsetsFail(t *testing.T) {
	inBubble(t, "beginning", func(b *fileBubble) {
		b.env.Offsets = &failingOffsets{loads: 2, saves: 2}
		b.write("", alerts("a"))
		b.start()
		b.check("a")
		b.stop()
		b.write("", alerts("b"))
		b.start()
		b.check("b")
	})
}

func TestFileLines(t *testing.T) {
	bad := "{\"rule\":\"b\",\"output_fields\":{\"proc.name\":\"\xff\xfe\"}}\n"
	inBubble(t, "beginning", func(b *fileBubble) {
		b.start()
		b.write("", alerts("a")+strings.Repeat("x", maxAlert+1)+"\n"+bad+"{\"rule\":\n"+alerts("c")+"[]\n{}\n"+alerts("d"))
		b.check("a b c d")
		want := map[string]int{ReasonTooLarge: 1, ReasonMalformed: 2, ReasonText: 1}
		if diff := cmp.Diff(want, b.rejected.all()); diff != "" {
			t.Errorf("rejected (-want +got):\n%s", diff)
		}
	})
}

// Text that Falco wrote with json_output: false, one of it with a newline in a program's name.
func TestFileRecordedText(t *testing.T) {
	for _, recording := range []string{recordings + "text-output.file-output.txt", recordings + "bad-utf8.file-output.txt"} {
		t.Run(recording, func(t *testing.T) {
			inBubble(t, "beginning", func(b *fileBubble) {
				b.start()
				var want []string
				text := readLines(t, recording)
				for i, line := range text {
					rule := fmt.Sprint("alert", i)
					b.write("", line+"\n"+alerts(rule))
					want = append(want, rule)
				}
				b.check(strings.Join(want, " "))
				if n := b.rejected.all(); n[ReasonText] != len(text) || len(n) != 1 {
					t.Errorf("rejected: %v, want %d lines of text", n, len(text))
				}
				b.write("", text[0]+"\n")
				b.wait()
				if s := b.Status(); !strings.Contains(s.LastError, "json_output: true") {
					t.Errorf("status: %+v", s)
				}
			})
		})
	}
}

// Whatever happens to the file, each alert comes once and in order.
func TestFileAnyHistory(t *testing.T) {
	for seed := range uint64(60) {
		inBubble(t, "beginning", func(b *fileBubble) {
			b.ticks = 1
			b.write("", "")
			b.start()
			var want, history []string
			random := rand.New(rand.NewPCG(seed, 0))
			running, refused, rotations := true, false, 0
			shift := func() {
				for i := rotations; i > 0; i-- {
					for _, ext := range []string{"", ".gz"} {
						if _, err := os.Stat(b.name(fmt.Sprint(".", i, ext))); err == nil {
							b.rename(fmt.Sprint(".", i, ext), fmt.Sprint(".", i+1, ext))
						}
					}
				}
				rotations++
			}
			for range 40 {
				steps := []struct {
					name string
					do   func()
				}{
					{"write", func() {
						for range random.IntN(3) + 1 {
							rule := fmt.Sprint(len(want))
							b.write("", alerts(rule))
							want = append(want, rule)
						}
					}},
					{"wait", func() { time.Sleep(time.Duration(random.IntN(4000)) * time.Millisecond) }},
					{"rename", func() {
						shift()
						b.rename("", ".1")
						b.write("", "")
					}},
					{"copytruncate", func() {
						shift()
						b.copyTruncate(".1")
					}},
					{"compress", func() {
						if _, err := os.Stat(b.name(".2")); err == nil {
							b.compress(".2")
						}
					}},
					{"refuse or accept", func() {
						refused = !refused
						if b.setFail(nil); refused {
							b.setFail(errors.New("disk full"))
						}
					}},
					{"stop or start", func() {
						if running {
							b.stop()
						} else {
							b.start()
						}
						running = !running
					}},
				}
				step := steps[random.IntN(len(steps))]
				history = append(history, step.name)
				step.do()
			}
			b.setFail(nil)
			if !running {
				b.start()
			}
			time.Sleep(time.Minute)
			b.check(strings.Join(want, " "))
			if t.Failed() {
				t.Fatalf("seed %d: %v", seed, history)
			}
		})
	}
}

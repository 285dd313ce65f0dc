package source

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/filelessd/filelessd/internal/falcosim"
	"github.com/filelessd/filelessd/pkg/event"
)

const recordings = "../../examples/alerts/"

// recordedFrames returns messages as a Falco sent them.
func recordedFrames(t testing.TB, name string) []falcosim.Frame {
	t.Helper()
	f, err := os.Open(recordings + name + ".grpc.frames")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	frames, err := falcosim.ReadFrames(f)
	if err != nil {
		t.Fatal(err)
	}
	return frames
}

// TestDecodeFrameIsParse holds every recorded message against the same alert as file_output wrote
// it: the two roads must lead to the same event.
func TestDecodeFrameIsParse(t *testing.T) {
	received := time.Now()
	files, err := filepath.Glob(recordings + "*.grpc.frames")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	compared := 0
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".grpc.frames")
		data, err := os.ReadFile(recordings + name + ".file-output.jsonl")
		if err != nil {
			continue // json_output was false
		}
		lines := bytes.Split(data, []byte("\n"))
		for i, frame := range recordedFrames(t, name) {
			compared++
			got, err := decodeFrame(frame, received)
			if err != nil {
				t.Errorf("%s %d: %v", name, i+1, err)
				continue
			}
			want, err := event.Parse(lines[i], received)
			if err != nil {
				t.Fatal(err)
			}
			if got.Output != string(lines[i]) {
				t.Errorf("%s %d: output %q", name, i+1, got.Output)
			}
			if got.ID() != want.ID() {
				t.Errorf("%s %d: another ID", name, i+1)
			}
			got.Normalise()
			want.Normalise()
			if _, sent := got.Field("evt.time"); !sent { // Falco leaves it out, mostly
				evtTime, ok := want.Field("evt.time")
				if ok {
					got.SetField("evt.time", evtTime)
				}
			}
			if diff := cmp.Diff(&want, &got); diff != "" { // by Event.Equal
				t.Errorf("%s %d (-file +gRPC):\n%s", name, i+1, diff)
			}
		}
	}
	if compared != 79 {
		t.Errorf("%d pairs were compared, want 79", compared)
	}
}

func TestDecodeFrameText(t *testing.T) {
	for i, frame := range recordedFrames(t, "text-output") {
		var r outputs.Response
		if err := proto.Unmarshal(frame, &r); err != nil {
			t.Fatal(err)
		}
		e, err := decodeFrame(frame, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if e.Output != r.GetOutput() || e.Rule != r.GetRule() || e.Hostname != r.GetHostname() ||
			e.Source != r.GetSource() || !e.Time.Equal(r.GetTime().AsTime()) ||
			cmp.Diff(e.Tags, r.GetTags()) != "" || int32(e.Priority-event.Emergency) != int32(r.GetPriority()) {
			t.Errorf("message %d: got %+v, want %v", i+1, e, &r)
		}
		for name, value := range r.GetOutputFields() {
			if got, ok := e.Field(name); event.Known(value) && (!ok || got != value) {
				t.Errorf("message %d: %s is %q, want %q", i+1, name, got, value)
			}
		}
	}
}

func TestDecodeFrameKeepsBytes(t *testing.T) {
	e, err := decodeFrame(recordedFrames(t, "bad-utf8")[1], time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if path, _ := e.Field("proc.exepath"); path != "memfd:bad\xff\xfename" {
		t.Errorf("proc.exepath is %q", path)
	}
	if !strings.Contains(e.Output, "memfd:bad\xff\xfename") || e.Hostname != "lab-node-1" || len(e.Tags) != 6 {
		t.Errorf("got %+v", e)
	}
}

// A message is built field by field.
type message []byte

func (m message) text(num protowire.Number, text string) message {
	return protowire.AppendString(protowire.AppendTag(m, num, protowire.BytesType), text)
}

func (m message) varint(num protowire.Number, n uint64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, num, protowire.VarintType), n)
}

func entry(key, value string) string {
	return string(message(nil).text(entryKey, key).text(entryValue, value))
}

func TestDecodeFrameDetails(t *testing.T) {
	received := time.Unix(1800000000, 0).UTC()
	plain := slices.Clip(message(nil).text(fieldRule, "r"))
	group := protowire.AppendTag(message(nil).text(99, "x"), 98, protowire.StartGroupType)
	group = protowire.AppendTag(group, 98, protowire.EndGroupType)
	tests := []struct {
		name string
		data message
		want string // of show
	}{
		{"nothing but a rule", plain, "r Emergency syscall 0 map[]"},
		{"priority", plain.varint(fieldPriority, 7), "r Debug syscall 0 map[]"},
		{"unknown priority", plain.varint(fieldPriority, 8), "r  syscall 0 map[]"},
		{"source", plain.text(fieldSource, "aws").varint(fieldSourceDeprecated, 1), "r Emergency aws 0 map[]"},
		{"old source", plain.varint(fieldSourceDeprecated, 1), "r Emergency k8s_audit 0 map[]"},
		{"old internal", plain.varint(fieldSourceDeprecated, 2), "r Emergency internal 0 map[]"},
		{"old unknown", plain.varint(fieldSourceDeprecated, 99), "r Emergency syscall 0 map[]"},
		{"time", plain.text(fieldTime, string(message(nil).varint(1, 1795443600).varint(2, 5))), "r Emergency syscall 1795443600000000005 map[]"},
		{"time in two parts", plain.text(fieldTime, string(message(nil).varint(1, 1795443600))).
			text(fieldTime, string(message(nil).varint(2, 5))), "r Emergency syscall 1795443600000000005 map[]"},
		{"nanoseconds beyond a second", plain.text(fieldTime, string(message(nil).varint(1, 1795443600).varint(2, 1e9))), "r Emergency syscall 0 map[]"},
		{"negative nanoseconds", plain.text(fieldTime, string(message(nil).varint(1, 1795443600).varint(2, 1<<64-1))), "r Emergency syscall 0 map[]"},
		{"time before 1970", plain.text(fieldTime, string(message(nil).varint(1, 1<<64-1))), "r Emergency syscall 0 map[]"},
		{"time beyond all", plain.text(fieldTime, string(message(nil).varint(1, 1<<63-1))), "r Emergency syscall 0 map[]"},
		{"time past 2261", plain.text(fieldTime, string(message(nil).varint(1, 9300000000))), "r Emergency syscall 0 map[]"},
		{"fields", plain.text(fieldOutputFields, entry("a", "1")).text(fieldOutputFields, entry("b", "<NA>")).
			text(fieldOutputFields, string(message(nil).text(entryKey, "c"))), "r Emergency syscall 0 map[a:1]"},
		{"the last of a repeated key", plain.text(fieldOutputFields, entry("a", "1")).text(fieldOutputFields, entry("a", "2")), "r Emergency syscall 0 map[a:2]"},
		{"entry with unknown fields", plain.text(fieldOutputFields, string(message(entry("a", "1")).varint(3, 4).text(9, "x"))), "r Emergency syscall 0 map[a:1]"},
		{"entry with values of a wrong type", plain.text(fieldOutputFields, string(message(entry("a", "1")).varint(entryValue, 4))), "r Emergency syscall 0 map[a:1]"},
		{"last rule", message(nil).text(fieldRule, "first").text(fieldRule, "r"), "r Emergency syscall 0 map[]"},
		{"unknown fields", append(append(message{}, group...), plain...), "r Emergency syscall 0 map[]"},
		{"known fields of a wrong type", plain.varint(fieldRule, 1).varint(fieldTags, 1).text(fieldPriority, "x"), "r Emergency syscall 0 map[]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := decodeFrame(tt.data, received)
			if err != nil {
				t.Fatal(err)
			}
			nanos := int64(0)
			if !e.Time.IsZero() {
				nanos = e.Time.UnixNano()
			}
			got := fmt.Sprint(e.Rule, " ", e.Priority, " ", e.Source, " ", nanos, " ", e.FieldMap())
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if !e.Received.Equal(received) {
				t.Errorf("received %s", e.Received)
			}
		})
	}
}

func TestDecodeFrameMalformed(t *testing.T) {
	plain := slices.Clip(message(nil).text(fieldRule, "r"))
	whole := []byte(recordedFrames(t, "mtls")[0])
	tests := map[string][]byte{
		"empty":            nil,
		"no rule":          message(nil).text(fieldOutput, "x"),
		"empty rule":       message(nil).text(fieldRule, ""),
		"cut short":        whole[:len(whole)-1],
		"cut in a tag":     append(append(message{}, plain...), 0x80),
		"field number 0":   append(append(message{}, plain...), 0x00),
		"length too large": append(append(message{}, plain...), 0x2a, 0xff, 0xff, 0xff, 0xff, 0x0f),
		"broken time":      plain.text(fieldTime, "\x08"),
		"broken entry":     plain.text(fieldOutputFields, "\x0a\x05ab"),
		"end of no group":  append(append(message{}, plain...), 0x0c),
	}
	for name, data := range tests {
		if e, err := decodeFrame(data, time.Now()); err == nil {
			t.Errorf("%s: got %+v", name, e)
		}
	}
}

// TestFrame is about frames in several pieces, as HTTP/2 cuts them, and about too long ones.
func TestFrame(t *testing.T) {
	data := recordedFrames(t, "mtls")[0]
	var f frame
	pieces := mem.BufferSlice{mem.SliceBuffer(data[:100]), mem.SliceBuffer(data[100:101]), mem.SliceBuffer(data[101:])}
	if err := (frameCodec{}).Unmarshal(pieces, &f); err != nil {
		t.Fatal(err)
	}
	e, _, err := f.event(time.Now())
	if err != nil || e.Rule != event.StockMemfdRule {
		t.Errorf("got %q, %v", e.Rule, err)
	}
	long := message(nil).text(fieldRule, "r").text(fieldOutput, strings.Repeat("x", maxAlert))
	f = frame{mem.SliceBuffer(long)}
	if _, reason, err := f.event(time.Now()); reason != ReasonTooLarge || err == nil {
		t.Errorf("a long alert: %q, %v", reason, err)
	}
	f = frame{mem.SliceBuffer("x")}
	if _, reason, err := f.event(time.Now()); reason != ReasonMalformed || err == nil {
		t.Errorf("no alert: %q, %v", reason, err)
	}
}

// FuzzFrame compares with protobuf's own reader: what that takes for an alert, decodeFrame must
// take for the same.
func FuzzFrame(f *testing.F) {
	for _, name := range []string{"mtls", "bad-utf8", "internal-drop"} {
		for _, frame := range recordedFrames(f, name) {
			f.Add([]byte(frame))
		}
	}
	f.Add([]byte(message(nil).text(fieldRule, "r").varint(fieldSourceDeprecated, 1).varint(fieldPriority, 9)))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := decodeFrame(data, time.Unix(1, 0))
		var r outputs.Response
		if proto.Unmarshal(data, &r) != nil {
			return // it is stricter: UTF-8
		}
		if r.GetRule() == "" {
			if err == nil {
				t.Fatalf("no rule, and no error: %+v", e)
			}
			return
		}
		if err != nil {
			t.Fatalf("protobuf reads it: %v", err)
		}
		if e.Rule != r.GetRule() || e.Output != r.GetOutput() || e.Hostname != r.GetHostname() ||
			r.GetSource() != "" && e.Source != r.GetSource() || len(e.Tags) != len(r.GetTags()) {
			t.Fatalf("got %+v, want %v", e, &r)
		}
		for name, value := range r.GetOutputFields() {
			if got, ok := e.Field(name); ok != event.Known(value) || ok && got != value {
				t.Fatalf("%q is %q, want %q", name, got, value)
			}
		}
		if tm := r.GetTime(); tm.IsValid() && tm.GetSeconds() > 0 && tm.AsTime().Year() < 2262 && !e.Time.Equal(tm.AsTime()) {
			t.Fatalf("time %s, want %s", e.Time, tm.AsTime())
		}
		if !utf8.ValidString(e.Rule) {
			t.Fatal("protobuf takes UTF-8 only")
		}
	})
}

func BenchmarkDecodeFrame(b *testing.B) {
	frame := recordedFrames(b, "stable-rules")[0]
	received := time.Now()
	b.Run("filelessd", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := decodeFrame(frame, received); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("protobuf", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var r outputs.Response
			if err := proto.Unmarshal(frame, &r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

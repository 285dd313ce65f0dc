package report

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/filelessd/filelessd/pkg/event"
)

// filled is a report in which every field has something, with text that needs escapes.
func filled(text string) *Report {
	r := new(Report)
	n := 0
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		n++
		switch v.Interface().(type) {
		case time.Time:
			v.Set(reflect.ValueOf(time.Unix(int64(n), 5).UTC()))
			return
		case *event.Event:
			e := &event.Event{Time: time.Unix(9, 8).UTC(), Rule: "r" + text, Hostname: text, Output: text, Source: "s", Tags: []string{text}}
			e.SetField("proc.cmdline", text)
			e.SetField(text, "x")
			v.Set(reflect.ValueOf(e))
			return
		}
		switch v.Kind() {
		case reflect.String:
			v.SetString(fmt.Sprint(text, n))
		case reflect.Int:
			v.SetInt(int64(n - 30))
		case reflect.Pointer:
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem())
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			fill(v.Index(0))
			fill(v.Index(1))
		case reflect.Struct:
			for i := range v.NumField() {
				fill(v.Field(i))
			}
		default:
			panic(v.Type().String())
		}
	}
	fill(reflect.ValueOf(r).Elem())
	return r
}

// slowly reads by encoding/json alone.
func slowly(t *testing.T, data []byte) (*Report, error) {
	t.Helper()
	var j reportJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return nil, err
	}
	r := j.report()
	return &r, nil
}

func hostileTexts() []string {
	return []string{"plain", "", `a "quoted" \ word` + "\n\t\x01", "\u202eevil\u2028 \U000e0041", "ü€😀", "bad \xff bytes", `","x":"`, "null"}
}

// TestReadsWhatMarshalWrote: the quick reader takes every report, with each of its fields, and
// understands it as encoding/json does. A field that it does not know makes it give up.
func TestReadsWhatMarshalWrote(t *testing.T) {
	for _, text := range hostileTexts() {
		for _, r := range []*Report{filled(text), {Title: text}, {Event: filled(text).Event}} {
			data, err := Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := read(data)
			if !ok {
				t.Fatalf("not read: %s", data)
			}
			want, err := slowly(t, data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmp.Exporter(func(reflect.Type) bool { return true }), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		}
	}
}

// FuzzRead: what the quick reader takes, encoding/json takes as the same.
func FuzzRead(f *testing.F) {
	for _, text := range hostileTexts() {
		data, err := Marshal(filled(text))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	short, _ := Marshal(&Report{})
	f.Add(short)
	f.Fuzz(func(t *testing.T, data []byte) {
		got, ok := read(data)
		if !ok {
			return
		}
		want, err := slowly(t, data)
		if err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if diff := cmp.Diff(want, got, cmp.Exporter(func(reflect.Type) bool { return true }), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s: %s", data, diff)
		}
	})
}

func BenchmarkUnmarshal(b *testing.B) {
	data, err := Marshal(filled("some text of the usual length, more or less"))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("quick", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := read(data); !ok {
				b.Fatal("not read")
			}
		}
	})
	b.Run("json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var j reportJSON
			if err := json.Unmarshal(data, &j); err != nil {
				b.Fatal(err)
			}
		}
	})
}

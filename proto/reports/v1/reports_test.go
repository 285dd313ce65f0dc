package reportsv1_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/filelessd/filelessd/pkg/report"
	reportsv1 "github.com/filelessd/filelessd/proto/reports/v1"
)

// Every key of a report's JSON form is a field of the message, and every field is a key.
func TestKeys(t *testing.T) {
	want := filled(t)
	data, err := report.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var back report.Report
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, &back); diff != "" {
		t.Errorf("the JSON form leaves something out, so that this test can not see it (-want +got):\n%s", diff)
	}
	compareKeys(t, (&reportsv1.Report{}).ProtoReflect().Descriptor(), decode(t, data))
}

// compareKeys compares the keys of object, and of the objects in it, with the fields of message.
func compareKeys(t *testing.T, message protoreflect.MessageDescriptor, object map[string]any) {
	t.Helper()
	for key, value := range object {
		f := message.Fields().ByName(protoreflect.Name(key))
		if f == nil {
			t.Errorf("%s: no field for the key %q", message.FullName(), key)
			continue
		}
		if list, ok := value.([]any); ok && len(list) > 0 {
			value = list[0]
		}
		nested, ok := value.(map[string]any)
		switch {
		case isEmpty(value):
			t.Errorf("%s: empty in a filled report", f.FullName())
		case !isObject(f):
		case !ok:
			t.Errorf("%s: is no object in JSON but %v", f.FullName(), value)
		default:
			compareKeys(t, f.Message(), nested)
		}
	}
	for i := range message.Fields().Len() {
		f := message.Fields().Get(i)
		if _, ok := object[string(f.Name())]; !ok {
			t.Errorf("%s: no such key in JSON", f.FullName())
		}
	}
}

func isEmpty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	default:
		return false
	}
}

// Every report in its JSON form is the message by the strict rules of proto3's JSON mapping, and
// says the same when the message is written again.
func TestJSON(t *testing.T) {
	for name, r := range samples(t) {
		t.Run(name, func(t *testing.T) {
			data, err := report.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			var m reportsv1.Report
			if err := (protojson.UnmarshalOptions{DiscardUnknown: false}).Unmarshal(data, &m); err != nil {
				t.Fatalf("%v in %s", err, data)
			}
			again, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(&m)
			if err != nil {
				t.Fatal(err)
			}
			message := m.ProtoReflect().Descriptor()
			want, got := normal(t, message, decode(t, data)), normal(t, message, decode(t, again))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-report +message):\n%s", diff)
			}
		})
	}
}

// What is not UTF-8 arrives as the bytes that it was, not as the base64 that JSON writes it in.
func TestInvalidUTF8(t *testing.T) {
	data, err := report.Marshal(samples(t)["hostile"])
	if err != nil {
		t.Fatal(err)
	}
	var m reportsv1.Report
	if err := protojson.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{
		"output":                     []byte("\x00\n\u202e\xff"),
		"output_fields.proc.exepath": []byte("memfd:\x80\xff"),
	}
	if diff := cmp.Diff(want, m.GetEvent().GetInvalidUtf8()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// normal returns object with what both writers spell differently in one spelling: no nulls, which
// stand for fields that are not set; times as such; and numbers of 64 bits, which protojson writes
// as strings, as numbers.
func normal(t *testing.T, message protoreflect.MessageDescriptor, object map[string]any) map[string]any {
	t.Helper()
	out := map[string]any{}
	for key, value := range object {
		f := message.Fields().ByName(protoreflect.Name(key))
		switch {
		case value == nil:
			continue
		case isTime(f):
			value = parseTime(t, value)
		case f.Kind() == protoreflect.Int64Kind:
			value = json.Number(fmt.Sprint(value))
		case isObject(f) && f.IsList():
			var list []any
			for _, element := range value.([]any) {
				list = append(list, normal(t, f.Message(), element.(map[string]any)))
			}
			value = list
		case isObject(f):
			value = normal(t, f.Message(), value.(map[string]any))
		}
		out[key] = value
	}
	return out
}

func parseTime(t *testing.T, value any) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(value))
	if err != nil {
		t.Error(err)
	}
	return at
}

func isTime(f protoreflect.FieldDescriptor) bool {
	return f.Message() != nil && f.Message().FullName() == (&timestamppb.Timestamp{}).ProtoReflect().Descriptor().FullName()
}

// isObject reports whether f holds messages that are objects with fixed keys in JSON.
func isObject(f protoreflect.FieldDescriptor) bool {
	return f.Message() != nil && !f.IsMap() && !isTime(f)
}

func decode(t *testing.T, data []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return object
}

package source

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/filelessd/filelessd/pkg/event"
)

// The fields of falco.outputs.response, of its google.protobuf.Timestamp and of its map entries;
// from outputs.proto, as generated into client-go.
const (
	fieldTime             = 1
	fieldPriority         = 2
	fieldSourceDeprecated = 3
	fieldRule             = 4
	fieldOutput           = 5
	fieldOutputFields     = 6
	fieldHostname         = 7
	fieldTags             = 8
	fieldSource           = 9

	timeSeconds = 1
	timeNanos   = 2

	entryKey   = 1
	entryValue = 2
)

// deprecatedSources are the names behind the enum that older Falco sends instead of a source.
var deprecatedSources = [...]string{event.DefaultSource, "k8s_audit", "internal", "plugin"}

// maxTimestamp is the last second that a Timestamp may hold, at the end of the year 9999.
const maxTimestamp = 253402300799

// A frame is one message as it came off the wire.
//
// Alerts are not unmarshalled into client-go's message. Falco puts whatever bytes a process chose
// for its name into proto3 strings; a strict reader ends the call at the first that is not UTF-8
// and loses the alerts behind it, which Falco has already taken out of its queue. And an Event
// made straight from the bytes costs a fraction of a message with a map.
type frame struct{ buf mem.Buffer }

// frameCodec hands a *frame the bytes of a message and leaves all else to the codec inside.
type frameCodec struct{ encoding.CodecV2 }

// Name is empty, so that the content type is application/grpc, as every Falco client sends it.
func (frameCodec) Name() string { return "" }

func (c frameCodec) Unmarshal(data mem.BufferSlice, v any) error {
	f, ok := v.(*frame)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	f.buf = data.MaterializeToBuffer(mem.DefaultBufferPool())
	return nil
}

// event decodes the frame and gives its memory back; it can be called once. The error has one of
// Reasons.
func (f *frame) event(received time.Time) (event.Event, string, error) {
	defer f.buf.Free()
	data := f.buf.ReadOnlyData()
	if len(data) > maxAlert {
		return event.Event{}, ReasonTooLarge, fmt.Errorf("%d bytes", len(data))
	}
	e, err := decodeFrame(data, received)
	if err != nil {
		return event.Event{}, ReasonMalformed, err
	}
	return e, "", nil
}

// decodeFrame reads the wire form of a falco.outputs.response. The strings of the event share one
// copy of data. Unknown fields are passed over, and so are known ones of a wrong wire type, as
// protobuf wants it.
func decodeFrame(data []byte, received time.Time) (event.Event, error) {
	d := frameDecoder{event: event.Event{Received: received, Priority: event.Emergency}}
	if err := d.decode(data); err != nil {
		return event.Event{}, err
	}
	if d.event.Rule == "" {
		return event.Event{}, errors.New("no rule: not a Falco alert")
	}
	return d.event, nil
}

type frameDecoder struct {
	event          event.Event
	seconds, nanos int64
	oldSource      uint64
}

func (d *frameDecoder) decode(data []byte) error {
	w := newWire(data)
	d.reserve(w)
	for w.next() {
		if err := d.set(&w); err != nil {
			return err
		}
	}
	if d.event.Source == "" {
		d.event.Source = event.DefaultSource
		if d.oldSource < uint64(len(deprecatedSources)) {
			d.event.Source = deprecatedSources[d.oldSource]
		}
	}
	d.event.Time = timestamp(d.seconds, d.nanos)
	return w.err
}

// reserve makes room for as many tags and fields as w has. An error in w meets decode again.
func (d *frameDecoder) reserve(w wire) {
	tags, fields := 0, 0
	for w.next() {
		switch w.num {
		case fieldTags:
			tags++
		case fieldOutputFields:
			fields++
		}
	}
	if tags > 0 {
		d.event.Tags = make([]string, 0, tags)
	}
	d.event.Grow(fields)
}

// set takes the field at which w stands.
func (d *frameDecoder) set(w *wire) error {
	switch w.typ {
	case protowire.VarintType:
		switch w.num {
		case fieldPriority:
			d.event.Priority = priority(w.varint)
		case fieldSourceDeprecated:
			d.oldSource = w.varint
		}
	case protowire.BytesType:
		switch w.num {
		case fieldTime:
			return d.setTime(w.message())
		case fieldRule:
			d.event.Rule = w.string()
		case fieldOutput:
			d.event.Output = w.string()
		case fieldOutputFields:
			return d.setField(w.message())
		case fieldHostname:
			d.event.Hostname = w.string()
		case fieldTags:
			d.event.Tags = append(d.event.Tags, w.string())
		case fieldSource:
			d.event.Source = w.string()
		}
	}
	return nil
}

func (d *frameDecoder) setTime(w wire) error {
	for w.next() {
		if w.typ != protowire.VarintType {
			continue
		}
		switch w.num {
		case timeSeconds:
			d.seconds = int64(w.varint)
		case timeNanos:
			d.nanos = int64(int32(w.varint))
		}
	}
	return w.err
}

func (d *frameDecoder) setField(w wire) error {
	var key, value string
	for w.next() {
		if w.typ != protowire.BytesType {
			continue
		}
		switch w.num {
		case entryKey:
			key = w.string()
		case entryValue:
			value = w.string()
		}
	}
	d.event.SetField(key, value)
	return w.err
}

// timestamp returns the zero time for what no Timestamp may hold.
func timestamp(seconds, nanos int64) time.Time {
	if seconds < 0 || seconds > maxTimestamp || nanos < 0 || nanos >= int64(time.Second) {
		return time.Time{}
	}
	return event.UsableTime(time.Unix(seconds, nanos))
}

// priority maps falco.schema.priority: 0 EMERGENCY to 7 DEBUG.
func priority(enum uint64) event.Priority {
	if enum > uint64(event.Debug-event.Emergency) {
		return event.PriorityUnknown
	}
	return event.Emergency + event.Priority(enum)
}

// A wire reads the fields of a message one by one. It has the message twice: as bytes to read, and
// as text of which strings are parts.
type wire struct {
	data     []byte
	text     string
	pos, end int // what remains to be read
	err      error

	// The field that next read.
	num      protowire.Number
	typ      protowire.Type
	varint   uint64 // of a varint
	from, to int    // of a string, bytes or message
}

func newWire(data []byte) wire { return wire{data: data, text: string(data), end: len(data)} }

// next goes to the next field. It returns false at the end of the message, and at an error.
func (w *wire) next() bool {
	if w.err != nil || w.pos == w.end {
		return false
	}
	num, typ, n := protowire.ConsumeTag(w.data[w.pos:w.end])
	if !w.skip(n) {
		return false
	}
	w.num, w.typ = num, typ
	switch rest := w.data[w.pos:w.end]; typ {
	case protowire.VarintType:
		w.varint, n = protowire.ConsumeVarint(rest)
	case protowire.BytesType:
		var value []byte
		value, n = protowire.ConsumeBytes(rest)
		w.to = w.pos + n
		w.from = w.to - len(value)
	default:
		n = protowire.ConsumeFieldValue(num, typ, rest)
	}
	return w.skip(n)
}

// skip goes n bytes on, or notes the error that a negative n is.
func (w *wire) skip(n int) bool {
	if n < 0 {
		w.err = protowire.ParseError(n)
		return false
	}
	w.pos += n
	return true
}

// string is the string at which w stands.
func (w *wire) string() string { return w.text[w.from:w.to] }

// message is the message at which w stands.
func (w *wire) message() wire { return wire{data: w.data, text: w.text, pos: w.from, end: w.to} }

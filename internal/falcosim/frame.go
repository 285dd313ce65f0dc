package falcosim

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/falcosecurity/client-go/pkg/api/schema"
	"google.golang.org/protobuf/encoding/protowire"
)

// A Frame is one alert as Falco's gRPC server puts it on the wire: a falco.outputs.response, whose
// strings may hold bytes that are not UTF-8.
type Frame []byte

// An alert is the JSON form that file_output writes, as far as the gRPC form needs it.
type alert struct {
	Hostname string         `json:"hostname"`
	Output   string         `json:"output"`
	Fields   map[string]any `json:"output_fields"`
	Priority string         `json:"priority"`
	Rule     string         `json:"rule"`
	Source   string         `json:"source"`
	Tags     []string       `json:"tags"`
	Time     time.Time      `json:"time"`
}

func parseAlert(line []byte) (alert, error) {
	var a alert
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if err := d.Decode(&a); err != nil {
		return a, err
	}
	if a.Rule == "" {
		return a, errors.New("no rule: not a Falco alert")
	}
	return a, nil
}

// JSONFrame makes the frame that Falco sends of an alert with json_output: true: its output is the
// whole document.
func JSONFrame(line []byte) (Frame, error) {
	line = bytes.TrimSpace(line)
	a, err := parseAlert(line)
	if err != nil {
		return nil, err
	}
	return a.frame(string(line)), nil
}

// TextFrame makes the frame that Falco sends of an alert with json_output: false: its output is
// the formatted line.
func TextFrame(line []byte) (Frame, error) {
	a, err := parseAlert(line)
	if err != nil {
		return nil, err
	}
	return a.frame(a.Output), nil
}

// The fields of falco.outputs.response, in outputs.proto.
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
)

// frame writes the wire form by hand, in the order of the fields as Falco does: protobuf's own
// writer refuses strings that are not UTF-8, and Falco's only complains.
func (a *alert) frame(output string) Frame {
	var b []byte
	b = appendText(b, fieldTime, string(timestamp(a.Time)))
	b = appendEnum(b, fieldPriority, schema.Priority_value[strings.ToUpper(a.Priority)])
	b = appendEnum(b, fieldSourceDeprecated, schema.Source_value[strings.ToUpper(a.Source)])
	b = appendText(b, fieldRule, a.Rule)
	b = appendText(b, fieldOutput, output)
	for _, name := range slices.Sorted(maps.Keys(a.Fields)) {
		if name == "evt.time" && a.Source != "internal" {
			continue // Falco leaves it out, but not of its own messages
		}
		var entry []byte
		entry = appendText(entry, 1, name)
		entry = appendText(entry, 2, fieldText(a.Fields[name]))
		b = appendText(b, fieldOutputFields, string(entry))
	}
	b = appendText(b, fieldHostname, a.Hostname)
	for _, tag := range a.Tags {
		b = appendText(b, fieldTags, tag)
	}
	return appendText(b, fieldSource, a.Source)
}

// fieldText is a value of output_fields as gRPC sends it.
func fieldText(value any) string {
	switch v := value.(type) {
	case nil:
		return "<NA>"
	case string:
		return v
	case json.Number, bool:
		return fmt.Sprint(v)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(text)
}

func timestamp(t time.Time) []byte {
	var b []byte
	b = protowire.AppendTag(b, 1, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(t.Unix()))
	if t.Nanosecond() != 0 {
		b = protowire.AppendTag(b, 2, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(t.Nanosecond()))
	}
	return b
}

func appendText(b []byte, num protowire.Number, text string) []byte {
	b = protowire.AppendTag(b, num, protowire.BytesType)
	return protowire.AppendString(b, text)
}

// appendEnum leaves 0 out, as proto3 does.
func appendEnum(b []byte, num protowire.Number, value int32) []byte {
	if value == 0 {
		return b
	}
	b = protowire.AppendTag(b, num, protowire.VarintType)
	return protowire.AppendVarint(b, uint64(value))
}

// ReadFrames reads messages that were kept one after the other, each behind its length as a
// varint.
func ReadFrames(r io.Reader) ([]Frame, error) {
	var frames []Frame
	in := bufio.NewReader(r)
	for {
		n, err := binary.ReadUvarint(in)
		if errors.Is(err, io.EOF) {
			return frames, nil
		}
		if err != nil {
			return frames, fmt.Errorf("message %d: length: %w", len(frames)+1, err)
		}
		if n > maxFrame {
			return frames, fmt.Errorf("message %d: %d bytes", len(frames)+1, n)
		}
		frame := make(Frame, n)
		if _, err := io.ReadFull(in, frame); err != nil {
			return frames, fmt.Errorf("message %d: %w", len(frames)+1, err)
		}
		frames = append(frames, frame)
	}
}

// maxFrame is the longest message that ReadFrames believes in.
const maxFrame = 64 << 20

package server

import (
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	reportsv1 "github.com/filelessd/filelessd/proto/reports/v1"
)

const (
	// mostMessage leaves room for what is around a report in the 4 MiB that gRPC's clients take by
	// default.
	mostMessage = 4<<20 - 64<<10
	// keptValue is how much stays of a value that is cut.
	keptValue = 64 << 10
)

// fit cuts the longest values of an alert until the message has room at its readers. An alert of a few
// megabytes is nothing that Falco sends by itself, but who sends one on purpose must not keep a reader
// from ever getting past it. What was cut is among the unknowns.
func fit(m *reportsv1.Report) {
	e := m.GetEvent()
	if e == nil {
		return
	}
	for proto.Size(m) > mostMessage {
		name, length, set := longest(e)
		if length <= keptValue {
			return
		}
		set(keptValue)
		m.Unknowns = append(m.Unknowns, &reportsv1.Unknown{
			Id: "cut", Field: text(name), Why: "In this message the value ends after 64 KiB: the report would have been too long for it.",
			How: "filelessd store export has the whole.",
		})
	}
}

// longest returns the longest value of e, and a function that cuts it.
func longest(e *reportsv1.Event) (name string, length int, set func(keep int)) {
	name, length = "output", len(e.GetOutput())
	set = func(keep int) { e.Output = begin(e.GetOutput(), keep) }
	for n, v := range e.GetOutputFields() {
		if len(v) > length {
			name, length = n, len(v)
			set = func(keep int) { e.OutputFields[n] = begin(v, keep) }
		}
	}
	for n, v := range e.GetInvalidUtf8() {
		if len(v) > length {
			name, length = "invalid_utf8: "+n, len(v)
			set = func(keep int) { e.InvalidUtf8[n] = v[:keep] }
		}
	}
	return name, length, set
}

// begin returns the beginning of s: keep bytes, or less, so that no rune is parted.
func begin(s string, keep int) string {
	for !utf8.RuneStart(s[keep]) {
		keep--
	}
	return s[:keep]
}

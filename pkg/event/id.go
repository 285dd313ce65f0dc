package event

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
)

// ID is the identity of the alert: lower-case hexadecimal SHA-256 over its time in nanoseconds,
// hostname, source, rule and known fields, each with its length before it.
//
// Left out is what differs between the roads that one alert can take: the fields evt.time and
// evt.time.* (the gRPC API does not send them), output, tags, priority, and the uuid that
// forwarders add. Without a usable time the time of receipt takes its place, so that such alerts
// are never taken for each other.
func (e *Event) ID() string {
	if e.id == "" {
		e.id = e.computeID()
	}
	return e.id
}

func (e *Event) computeID() string {
	b := make([]byte, 0, 2048)
	if e.Time.IsZero() {
		b = appendPart(b, "received")
		b = appendPart(b, strconv.FormatInt(e.Received.UnixNano(), 10))
	} else {
		b = appendPart(b, "time")
		b = appendPart(b, strconv.FormatInt(e.Time.UnixNano(), 10))
	}
	b = appendPart(b, e.Hostname)
	b = appendPart(b, e.Source)
	b = appendPart(b, e.Rule)
	for _, f := range normalise(e.fields) {
		if f.name == "evt.time" || strings.HasPrefix(f.name, "evt.time.") {
			continue
		}
		b = appendPart(b, f.name)
		b = appendPart(b, f.value)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func appendPart(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
	return append(b, s...)
}

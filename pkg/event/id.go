package event

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
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
	h := sha256.New()
	if e.Time.IsZero() {
		writePart(h, "received")
		writePart(h, strconv.FormatInt(e.Received.UnixNano(), 10))
	} else {
		writePart(h, "time")
		writePart(h, strconv.FormatInt(e.Time.UnixNano(), 10))
	}
	writePart(h, e.Hostname)
	writePart(h, e.Source)
	writePart(h, e.Rule)
	for _, f := range normalise(e.fields) {
		if f.name == "evt.time" || strings.HasPrefix(f.name, "evt.time.") {
			continue
		}
		writePart(h, f.name)
		writePart(h, f.value)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func writePart(h hash.Hash, s string) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(s)))
	h.Write(n[:])
	h.Write([]byte(s))
}

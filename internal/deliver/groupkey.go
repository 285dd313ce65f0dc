package deliver

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"strconv"
	"strings"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
)

// Key says which attack an alert belongs to, as far as one alert tells.
type Key struct {
	// Group names the alerts that are repeats of each other: of one technique, on one host or from
	// one image, below the same parents, by the same command line but for what changes with every
	// run.
	Group string
	// Shape is the same without the host: what one attack on many hosts has in common. Of an alert
	// from a container's image it is Group, which has no host in it.
	Shape string
}

// lineage holds the fields that say below what a process ran. The parent comes first, by its path
// if that is known: its name is what a program calls itself.
var lineage = [...]string{"proc.aname[2]", "proc.aname[3]", "proc.aname[4]"}

// KeyOf returns the key of an alert. It is pure, and takes time and room in proportion to the alert:
// of the attacker's text nothing but a hash remains.
func KeyOf(r *report.Report) Key {
	e := r.Event
	if e == nil {
		return Key{}
	}
	h := keyHash{sha256.New()}
	h.add(string(r.Technique))
	command := first(e.Field("proc.cmdline", "proc.args", "proc.exepath", "proc.name", "evt.arg.filename"))
	h.add(normalise(command))
	program := ""
	if isDescriptor(command) {
		program = first(e.Field("proc.exepath"))
	}
	h.add(normalise(program))
	h.add(normalise(first(e.Field("proc.pexepath", "proc.pname"))))
	for _, name := range lineage {
		h.add(normalise(first(e.Field(name))))
	}
	image := ""
	if id, _ := e.Field("container.id"); id != "host" {
		image = imageOf(r)
	}
	h.add(image)
	shape := h.sum()
	if image != "" || e.Hostname == "" {
		return Key{shape, shape}
	}
	h.add(e.Hostname)
	return Key{h.sum(), shape}
}

// isDescriptor reports whether the program of a command line is the number of a descriptor, as the kernel
// names what fexecve starts. Then the command line does not say which program that was: all that a
// parent starts in this way has the same.
func isDescriptor(command string) bool {
	name, _, _ := strings.Cut(command, " ")
	return name != "" && strings.Trim(name, "0123456789") == ""
}

// imageOf names an image with what says which version of it: the digest, or the tag where the alert
// does not have that.
func imageOf(r *report.Report) string {
	image, ok := r.Event.Field("container.image.repository")
	if !ok {
		return ""
	}
	return image + "@" + first(r.Event.Field("container.image.digest", "container.image.tag"))
}

func first(value string, _ bool) string { return value }

// keyHash hashes values each with its length, so that none can reach into the next.
type keyHash struct{ hash.Hash }

func (h keyHash) add(value string) {
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(value)))
	h.Write(length[:])
	h.Write([]byte(value))
}

// sum is half of a SHA-256, in hexadecimal: enough that nobody finds two of a kind.
func (h keyHash) sum() string { return hex.EncodeToString(h.Sum(nil)[:16]) }

// madeID is the ID of a report that a worker makes: the same after a restart, because it follows
// from what the report is about.
func madeID(kind report.Kind, sink, subject, counter string) string {
	h := keyHash{sha256.New()}
	for _, part := range []string{string(kind), sink, subject, counter} {
		h.add(part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// instants remembers which process set off the latest alerts: several rules of Falco can see one
// event, each with other fields, and then have other keys for the same thing.
type instants struct {
	byTime map[string]instant
	order  []string // of the keys of byTime; the oldest is at next once it is full
	next   int
}

// instant is one event of one process.
type instant struct {
	pid, container, command string // what is known of it
	group                   string
}

// mostInstants is how many are remembered. Falco hands on what several rules say of an event one
// behind the other.
const mostInstants = 512

func newInstants() *instants { return &instants{byTime: map[string]instant{}} }

func instantOf(r *report.Report) (at string, i instant, ok bool) {
	e := r.Event
	if e == nil || e.Time.IsZero() {
		return "", instant{}, false
	}
	h := keyHash{sha256.New()}
	h.add(e.Hostname)
	h.add(e.Source)
	i.pid = bounded(first(e.Field("proc.pid")), 32)
	i.container = bounded(first(e.Field("container.id")), 64)
	if command, ok := e.Field("proc.cmdline"); ok {
		c := keyHash{sha256.New()}
		c.add(command)
		i.command = c.sum()
	}
	return strconv.FormatInt(e.Time.UnixNano(), 36) + h.sum()[:16], i, true
}

// group returns the group of an alert about the same event, empty for none.
func (is *instants) group(r *report.Report) string {
	at, i, ok := instantOf(r)
	if !ok {
		return ""
	}
	known, ok := is.byTime[at]
	if !ok || !agree(known.pid, i.pid) || !agree(known.container, i.container) || !agree(known.command, i.command) {
		return ""
	}
	return known.group
}

// agree reports whether two values could be the same one: what an alert does not say contradicts
// nothing.
func agree(a, b string) bool { return a == "" || b == "" || a == b }

func (is *instants) add(r *report.Report, group string) {
	at, i, ok := instantOf(r)
	if !ok {
		return
	}
	i.group = group
	if _, known := is.byTime[at]; known {
		return
	}
	is.byTime[at] = i
	if len(is.order) < mostInstants {
		is.order = append(is.order, at)
		return
	}
	delete(is.byTime, is.order[is.next])
	is.order[is.next] = at
	is.next = (is.next + 1) % mostInstants
}

// timeOf is when the event of r happened; when it was received, if r does not tell.
func timeOf(r *report.Report) time.Time {
	if r.Event != nil && !r.Event.Time.IsZero() {
		return r.Event.Time
	}
	return r.CreatedAt
}

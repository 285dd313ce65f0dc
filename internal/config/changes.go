package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/filelessd/filelessd/internal/listen"
	"github.com/filelessd/filelessd/internal/smallfile"
)

// Reload is when a running daemon reads its configuration again by itself.
type Reload struct {
	// Watch reads it again when the file changes, or a file that it takes a secret or a certificate from.
	// SIGHUP and the command reload always do.
	Watch bool `yaml:"watch"`
}

// hot are the keys that a running daemon takes from a configuration that it reads again.
var hot = []string{"match", "grouping", "sinks", "drain_timeout", "reload"}

// NeedsRestart names what next has otherwise than c and a running daemon does not take over: keys, and
// sources as sources.NAME.
func (c *Config) NeedsRestart(next *Config) (keys []string) {
	before, after := reflect.ValueOf(c).Elem(), reflect.ValueOf(next).Elem()
	for _, k := range Keys(before.Type()) {
		switch {
		case slices.Contains(hot, k.Name):
		case k.Name == "sources":
			keys = append(keys, differentSources(c.Sources, next.Sources)...)
		case !reflect.DeepEqual(before.FieldByIndex(k.Index).Interface(), after.FieldByIndex(k.Index).Interface()):
			keys = append(keys, k.Name)
		}
	}
	return keys
}

func differentSources(before, after map[string]Source) (keys []string) {
	names := maps.Clone(before)
	maps.Copy(names, after)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		b, a := before[name], after[name]
		b.Pos, a.Pos = Pos{}, Pos{}
		if !reflect.DeepEqual(b, a) {
			keys = append(keys, "sources."+name)
		}
	}
	return keys
}

// SameDestination reports whether a sink that was opened by s need not be opened again for o: type and
// keys are equal, and so are the files that they name.
func (s Sink) SameDestination(o Sink) bool {
	return s.Type == o.Type && reflect.DeepEqual(s.Config, o.Config) && maps.Equal(s.Files, o.Files)
}

// File is where c was read from, as it was named; empty if it was not read.
func (c *Config) File() string { return c.document().name }

// Hash stands for the text that c was read from, as it is in the file: the first 16 hexadecimal digits of
// its SHA-256; empty if it was not read.
func (c *Config) Hash() string {
	if c.origin == nil {
		return ""
	}
	return c.origin.hash
}

// ReadAt is when c began to be read; zero if it was not, or if nobody said what time it was.
func (c *Config) ReadAt() time.Time {
	if c.origin == nil {
		return time.Time{}
	}
	return c.origin.env.Now
}

// Files are those that c says something else with when they change: its own, those of ${file:...}, those
// that its sinks have read, and the certificates of its listeners.
func (c *Config) Files() []string {
	if c.origin == nil {
		return nil
	}
	files := append([]string{c.origin.doc.name}, c.origin.files...)
	for _, s := range c.Sinks {
		files = slices.AppendSeq(files, maps.Keys(s.Files))
	}
	for _, l := range c.listeners() {
		files = append(files, l.tls.Files()...)
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// listener is an address with the certificates that are shown there.
type listener struct {
	address string
	tls     listen.TLS
}

func (c *Config) listeners() []listener {
	all := []listener{{c.HTTP.Listen, c.HTTP.TLS}, {c.GRPC.Listen, c.GRPC.TLS}}
	for _, s := range c.Sources {
		if s.HTTP != nil {
			all = append(all, listener{s.HTTP.Listen, s.HTTP.TLS})
		}
	}
	return all
}

// Listens reports whether c listens on address with these files.
func (c *Config) Listens(address string, t listen.TLS) bool {
	return slices.Contains(c.listeners(), listener{address, t})
}

func hashOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// filesOf finds the files that keys named ..._file below v, which stands at p, are about, with what they
// hold. One that is not there, or may not be read, is for the sink to complain of, when it opens. But one
// that never ends would never let it.
func (o *origin) filesOf(p path, v reflect.Value) map[string][sha256.Size]byte {
	found := map[string][sha256.Size]byte{}
	o.addFiles(found, p, v)
	if len(found) == 0 {
		return nil
	}
	return found
}

func (o *origin) addFiles(found map[string][sha256.Size]byte, p path, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			o.addFiles(found, p, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			o.addFiles(found, p.index(i), v.Index(i))
		}
	case reflect.Map:
		for i := v.MapRange(); i.Next(); {
			o.addFiles(found, p.with(i.Key().String()), i.Value())
		}
	case reflect.Struct:
		if isScalar(v.Type()) {
			return
		}
		for _, k := range Keys(v.Type()) {
			p, field := p.with(k.Name), v.FieldByIndex(k.Index)
			if strings.HasSuffix(k.Name, "_file") && field.Kind() == reflect.String && field.Len() > 0 {
				o.addFile(found, p, field.String())
				continue
			}
			o.addFiles(found, p, field)
		}
	default:
	}
}

func (o *origin) addFile(found map[string][sha256.Size]byte, p path, name string) {
	text, err := smallfile.ReadRegular(name)
	if errors.Is(err, smallfile.ErrNotRegular) || errors.Is(err, smallfile.ErrLarge) {
		o.errorf(p, o.place(p), "%s", o.redact(p, name+": "+err.Error()))
	}
	found[name] = sha256.Sum256(text)
}

package sink

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Registry holds the kinds of sinks that a program knows. The zero value is empty and ready.
type Registry struct{ kinds []AnyKind }

// AnyKind is a Kind without its type parameter, as the configuration and the list of kinds see it.
type AnyKind struct {
	Name, Summary string
	// Default returns the configuration before the file is read.
	Default func() Config
	// Decode returns the configuration that decode fills in, starting from the default: decode
	// gets a pointer to the kind's config struct. What it returns is not validated.
	Decode func(decode func(into any) error) (Config, error)
	// Open opens a sink for a configuration that Decode or Default returned.
	Open func(ctx context.Context, config Config, env Env) (Sink, error)
}

// Register adds k. It panics if r has a kind of that name, or k lacks its name or a function: that
// is a mistake in the program, not in its input.
func Register[C Config](r *Registry, k Kind[C]) {
	if k.Name == "" || k.Default == nil || k.Open == nil {
		panic(fmt.Sprintf("sink: kind %q needs Name, Default and Open", k.Name))
	}
	if _, ok := r.Kind(k.Name); ok {
		panic(fmt.Sprintf("sink: kind %q registered twice", k.Name))
	}
	r.kinds = append(r.kinds, AnyKind{
		Name:    k.Name,
		Summary: k.Summary,
		Default: func() Config { return k.Default() },
		Decode: func(decode func(any) error) (Config, error) {
			config := k.Default()
			if err := decode(&config); err != nil {
				return nil, err
			}
			return config, nil
		},
		Open: func(ctx context.Context, config Config, env Env) (Sink, error) {
			typed, ok := config.(C)
			if !ok {
				return nil, fmt.Errorf("sink kind %s: configuration is a %T", k.Name, config)
			}
			return k.Open(ctx, typed, env)
		},
	})
	slices.SortFunc(r.kinds, func(a, b AnyKind) int { return strings.Compare(a.Name, b.Name) })
}

// Kind returns the kind of that name.
func (r *Registry) Kind(name string) (AnyKind, bool) {
	for _, k := range r.kinds {
		if k.Name == name {
			return k, true
		}
	}
	return AnyKind{}, false
}

// Kinds returns all kinds, sorted by name.
func (r *Registry) Kinds() []AnyKind { return slices.Clone(r.kinds) }

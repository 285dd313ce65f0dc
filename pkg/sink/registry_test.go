package sink_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

type pigeonConfig struct {
	Loft  string `yaml:"loft"`
	Birds int    `yaml:"birds"`
}

func (c pigeonConfig) Validate() error {
	if c.Birds < 1 {
		return errors.New("birds: want at least 1")
	}
	return nil
}

type pigeon struct{ config pigeonConfig }

func (*pigeon) Deliver(context.Context, *report.Report) error { return nil }
func (*pigeon) Close() error                                  { return nil }

func pigeonKind(name string) sink.Kind[pigeonConfig] {
	return sink.Kind[pigeonConfig]{
		Name: name, Summary: "by " + name,
		Default: func() pigeonConfig { return pigeonConfig{Birds: 2} },
		Open: func(_ context.Context, c pigeonConfig, _ sink.Env) (sink.Sink, error) {
			return &pigeon{c}, nil
		},
	}
}

func strict(text string) func(any) error {
	return func(into any) error { return yaml.UnmarshalWithOptions([]byte(text), into, yaml.Strict()) }
}

func TestRegistry(t *testing.T) {
	var r sink.Registry
	sink.Register(&r, pigeonKind("raven"))
	sink.Register(&r, pigeonKind("pigeon"))

	var names []string
	for _, k := range r.Kinds() {
		names = append(names, k.Name+": "+k.Summary)
	}
	if got := strings.Join(names, ", "); got != "pigeon: by pigeon, raven: by raven" {
		t.Errorf("Kinds: %s", got)
	}
	if _, ok := r.Kind("owl"); ok {
		t.Error("found a kind that nobody registered")
	}
	r.Kinds()[0].Name = "changed"
	if _, ok := r.Kind("pigeon"); !ok {
		t.Error("the caller's copy of Kinds is the registry's own")
	}
}

func TestAnyKind(t *testing.T) {
	var r sink.Registry
	sink.Register(&r, pigeonKind("pigeon"))
	kind, _ := r.Kind("pigeon")

	if got := kind.Default(); got != (pigeonConfig{Birds: 2}) {
		t.Errorf("Default: %+v", got)
	}
	config, err := kind.Decode(strict("loft: attic"))
	if err != nil || config != (pigeonConfig{Loft: "attic", Birds: 2}) {
		t.Fatalf("Decode: %+v, %v", config, err)
	}
	s, err := kind.Open(t.Context(), config, sink.Env{})
	if err != nil || s.(*pigeon).config != config {
		t.Errorf("Open: %+v, %v", s, err)
	}
	if _, err := kind.Decode(strict("lofd: attic")); err == nil || !strings.Contains(err.Error(), "lofd") {
		t.Errorf("an unknown key: %v", err)
	}
	if config, err = kind.Decode(strict("birds: 0")); err != nil || config.Validate() == nil {
		t.Errorf("Decode validates (%v), or Validate does not", err)
	}
	if _, err := kind.Open(t.Context(), otherConfig{}, sink.Env{}); err == nil {
		t.Error("opened with another kind's configuration")
	}
}

type otherConfig struct{}

func (otherConfig) Validate() error { return nil }

func TestRegisterPanics(t *testing.T) {
	noName, noDefault, noOpen := pigeonKind(""), pigeonKind("a"), pigeonKind("b")
	noDefault.Default, noOpen.Open = nil, nil
	for name, k := range map[string]sink.Kind[pigeonConfig]{
		"twice": pigeonKind("pigeon"), "no name": noName, "no default": noDefault, "no open": noOpen,
	} {
		t.Run(name, func(t *testing.T) {
			var r sink.Registry
			sink.Register(&r, pigeonKind("pigeon"))
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			sink.Register(&r, k)
		})
	}
}

func TestCheckFormat(t *testing.T) {
	for _, format := range sink.Formats() {
		if err := sink.CheckFormat("format", format); err != nil {
			t.Error(err)
		}
	}
	err := sink.CheckFormat("format", "xml")
	if err == nil || err.Error() != `format: unknown format "xml"; known are cef, ecs, html, json, markdown, ocsf, text` {
		t.Errorf("got %v", err)
	}
}

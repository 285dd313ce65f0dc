package sink_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/filelessd/filelessd/pkg/sink"
)

const hidden = "hunter2"

type secretConfig struct {
	Token   sink.Secret            `json:"token" yaml:"token"`
	Pointer *sink.Secret           `json:"pointer" yaml:"pointer"`
	List    []sink.Secret          `json:"list" yaml:"list"`
	Headers map[string]sink.Secret `json:"headers" yaml:"headers"`
	Any     any                    `json:"any" yaml:"any"`
}

func newSecretConfig() secretConfig {
	s := sink.Secret(hidden)
	return secretConfig{
		Token: s, Pointer: &s, List: []sink.Secret{s}, Headers: map[string]sink.Secret{"x": s}, Any: s,
	}
}

func TestSecretDoesNotPrint(t *testing.T) {
	s := sink.Secret(hidden)
	values := map[string]any{"value": s, "pointer": &s, "struct": newSecretConfig(), "slice": []any{s}}
	for _, format := range []string{
		"%v", "%+v", "%#v", "%q", "%#q", "%s", "%x", "%X", "% x", "%d", "%10s", "%-3.2s", "%U", "%c", "%t", "%e", "%!", "",
	} {
		for name, value := range values {
			got := fmt.Sprintf(format, value)
			if leaks(got) {
				t.Errorf("%s with %q: %s", name, format, got)
			}
		}
	}
	for _, got := range []string{
		fmt.Sprint(s), fmt.Sprintln(newSecretConfig()), s.String(),
		errors.Join(fmt.Errorf("token %s", s), fmt.Errorf("config %+v", newSecretConfig())).Error(),
	} {
		if leaks(got) {
			t.Error(got)
		}
	}
}

func TestSecretDoesNotMarshal(t *testing.T) {
	encoders := map[string]func(any) ([]byte, error){
		"json": json.Marshal, "yaml": yaml.Marshal,
		"yaml as json": func(v any) ([]byte, error) { return yaml.MarshalWithOptions(v, yaml.JSON()) },
	}
	for name, encode := range encoders {
		out, err := encode(newSecretConfig())
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if leaks(string(out)) {
			t.Errorf("%s: %s", name, out)
		}
		if n := strings.Count(string(out), "[redacted]"); n != 5 {
			t.Errorf("%s shows %d of 5 secrets as redacted: %s", name, n, out)
		}
	}
	if out, err := xml.Marshal(sink.Secret(hidden)); err != nil || leaks(string(out)) {
		t.Errorf("xml: %s, %v", out, err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", sink.Secret(hidden), "config", newSecretConfig())
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", sink.Secret(hidden), "config", newSecretConfig())
	if leaks(log.String()) {
		t.Errorf("slog: %s", log.String())
	}
}

func TestSecretIsRead(t *testing.T) {
	var fromYAML, fromJSON struct {
		Token sink.Secret `json:"token" yaml:"token"`
	}
	if err := yaml.Unmarshal([]byte("token: "+hidden), &fromYAML); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(`{"token":"`+hidden+`"}`), &fromJSON); err != nil {
		t.Fatal(err)
	}
	if string(fromYAML.Token) != hidden || string(fromJSON.Token) != hidden {
		t.Errorf("read %q and %q", string(fromYAML.Token), string(fromJSON.Token))
	}
}

func TestEmptySecretIsSeenToBeEmpty(t *testing.T) {
	if got := fmt.Sprintf("%s|%v|%q", sink.Secret(""), sink.Secret(""), sink.Secret("")); got != `||""` {
		t.Errorf("got %s", got)
	}
	if out, err := json.Marshal(sink.Secret("")); err != nil || string(out) != `""` {
		t.Errorf("got %s, %v", out, err)
	}
}

// leaks reports whether text has the secret, plain or in hexadecimal.
func leaks(text string) bool {
	text = strings.ToLower(strings.ReplaceAll(text, " ", ""))
	return strings.Contains(text, hidden) || strings.Contains(text, fmt.Sprintf("%x", hidden))
}

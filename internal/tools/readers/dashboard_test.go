package readers

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// TestDashboard reads the dashboard by the types that Grafana publishes of its own schema: what they do
// not know, in a panel's options too, is a mistake.
func TestDashboard(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	text, err := os.ReadFile(root + "/examples/monitoring/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := readDashboard(text); err != nil {
		t.Error(err)
	}
	for name, bad := range map[string][]byte{
		"a misspelt option":   bytes.Replace(text, []byte(`"graphMode"`), []byte(`"grafMode"`), 1),
		"an unknown key":      bytes.Replace(text, []byte(`"schemaVersion"`), []byte(`"schema": 1, "schemaVersion"`), 1),
		"a text for a number": bytes.Replace(text, []byte(`"w": 24`), []byte(`"w": "24"`), 1),
	} {
		if bytes.Equal(bad, text) || readDashboard(bad) == nil {
			t.Errorf("%s is not found", name)
		}
	}
}

func readDashboard(text []byte) error {
	var d dashboard.Dashboard //nolint:staticcheck // the form that every Grafana from 10 on imports; v2 needs 12
	// Without mistakes it returns a list of none.
	if err := d.UnmarshalJSONStrict(text); err != nil && strings.TrimSpace(err.Error()) != "" {
		return err
	}
	return d.Validate()
}

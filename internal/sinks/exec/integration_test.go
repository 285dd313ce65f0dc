//go:build integration

package exec

import (
	"strings"
	"testing"

	"github.com/filelessd/filelessd/internal/testprogram"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

// TestIntegrationJq has a real JSON program read a report, and decide by its fields.
func TestIntegrationJq(t *testing.T) {
	jq := testprogram.Find(t, "jq", "jq")
	for filter, want := range map[string]string{
		`if .id == "` + sinktest.Hostile().ID + `" and (.event.output_fields["proc.cmdline"] | length) == 1048576 then empty else halt_error(1) end`: "",
		`"no such queue\n" | halt_error(75)`: `exit status 75: "no such queue"`,
		`"not for us" | halt_error(65)`:      `exit status 65: "not for us"`,
		`error("no [")`:                      "exit status 5",
	} {
		err := openExec(t, Config{Command: []string{jq, filter}}).Deliver(t.Context(), sinktest.Hostile())
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want %q, got %.300v", filter, want, err)
		}
		if sink.IsPermanent(err) != strings.Contains(want, "65") {
			t.Errorf("%s: permanent %v", filter, sink.IsPermanent(err))
		}
	}
}

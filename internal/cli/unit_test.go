package cli

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestUnitLetsSQLiteChown: SQLite calls fchown when root runs it, @privileged takes that call away,
// and unless the unit says otherwise a call that the filter does not allow kills the process. That is
// how a daemon under the example unit died at its start.
func TestUnitLetsSQLiteChown(t *testing.T) {
	unit, err := os.ReadFile("../../examples/systemd/filelessd.service")
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{}
	for line := range strings.Lines(string(unit)) {
		list, ok := strings.CutPrefix(strings.TrimSpace(line), "SystemCallFilter=")
		if !ok {
			continue
		}
		list, taken := strings.CutPrefix(list, "~")
		for _, set := range strings.Fields(list) {
			allowed[set] = !taken
			if set == "@privileged" || set == "@system-service" {
				allowed["@chown"] = !taken // it is a part of both
			}
		}
	}
	lines := strings.Split(string(unit), "\n")
	if !allowed["@system-service"] || !allowed["@chown"] && !slices.Contains(lines, "SystemCallErrorNumber=EPERM") {
		t.Errorf("the unit kills a daemon that calls fchown: %v", allowed)
	}
	if !slices.Contains(lines, "StartLimitIntervalSec=0") {
		t.Error("systemd gives up after a few failed starts")
	}
}

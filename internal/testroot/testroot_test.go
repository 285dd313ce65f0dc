//go:build integration

package testroot

import (
	"strings"
	"testing"
)

// TestIntegrationRoot: what runs inside is inside.
func TestIntegrationRoot(t *testing.T) {
	r := New(t)
	if got := r.Run("ls", "/usr/lib/systemd/systemd"); strings.TrimSpace(got) != "/usr/lib/systemd/systemd" {
		t.Errorf("systemd is %q", got)
	}
	r.Boot()
	if got := r.Run("cat", "/proc/1/comm"); strings.TrimSpace(got) != "systemd" {
		t.Errorf("the first process is %q", got)
	}
	if out, err := r.Outside(t.Context(), "cat", "/proc/net/dev").Output(); err != nil || strings.Count(string(out), ":") != 1 {
		t.Errorf("the network has more than lo:\n%s (%v)", out, err)
	}
}

package source

import (
	"strings"
	"testing"
	"time"
)

// TestQuietConfig: the defaults are right, and a time can not be negative.
func TestQuietConfig(t *testing.T) {
	grpc, http, file := DefaultGRPCConfig(), DefaultHTTPConfig(), DefaultFileConfig()
	if got := grpc.Quiet.Rules(); got != (QuietRules{Unreachable: 2 * time.Minute, Restarts: true}) {
		t.Errorf("%+v", got)
	}
	if got := http.Quiet.Rules(); got != (QuietRules{Restarts: true}) || file.Quiet.Rules() != got {
		t.Errorf("%+v", got)
	}
	bad := func(key string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
	grpc.Quiet.Unreachable, http.Quiet.After, file.Quiet.After = -1, -1, -1
	bad("quiet.unreachable", grpc.Validate())
	bad("quiet.after", http.Validate())
	bad("quiet.after", file.Validate())
}

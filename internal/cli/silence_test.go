package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/filelessd/filelessd/internal/app"
	"github.com/filelessd/filelessd/internal/server"
)

// TestSilence: what the commands ask of a daemon, and what they make of its answers.
func TestSilence(t *testing.T) {
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var asked []app.Silence
	echo := server.Answer(func(_ context.Context, s app.Silence) (app.Silence, error) {
		asked = append(asked, s)
		if s.Matcher == "wrong" {
			return s, server.Wrongf("matcher: wrong")
		}
		s.ID = "abc1"
		return s, nil
	})
	control, err := server.OpenControl(t.Context(), filepath.Join(dir, server.ControlName), "v0", map[string]server.Call{
		app.CommandSilenceAdd: echo, app.CommandSilenceExpire: echo,
		app.CommandSilenceList: server.Answer(func(context.Context, app.Nothing) ([]app.Silence, error) {
			return []app.Silence{
				{ID: "abc1", Matcher: "score < 20", Author: "me", Reason: hostile, Expires: time.Now().Add(time.Hour), Withheld: 12},
				{ID: "abc2", Expires: time.Now().Add(-time.Hour)},
			}, nil
		}),
	}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- control.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	at := []string{"--data-dir", dir}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"add", "score < 20", "--reason", "r", "--author", "me", "--for", "2h"}, 0, "silence abc1 until "},
		{[]string{"add", "score < 20", "--reason", "r", "--author", "me", "--until", "2099-01-01T00:00:00Z", "-o", "json"}, 0, `"expires": "2099-01-01T00:00:00Z"`},
		{[]string{"add", "wrong", "--reason", "r", "--for", "2h"}, 2, "matcher: wrong"},
		{[]string{"add", "score < 20", "--reason", "r"}, 2, "--for or --until"},
		{[]string{"add", "score < 20", "--reason", "r", "--for", "1h", "--until", "2099-01-01T00:00:00Z"}, 2, "one of them"},
		{[]string{"add", "score < 20", "--reason", "r", "--for", "-1h"}, 2, "--for"},
		{[]string{"add", "score < 20", "--for", "1h"}, 2, "--reason"},
		{[]string{"list"}, 0, "in force"},
		{[]string{"list"}, 0, "ended"},
		{[]string{"expire", "abc"}, 0, "silence abc1 has ended"},
	} {
		code, stdout, stderr := run(t, "", append(append([]string{"silence"}, c.args...), at...)...)
		if code != c.code || !strings.Contains(stdout+stderr, c.says) {
			t.Errorf("%q: %d %s%s", c.args, code, stdout, stderr)
		}
		inert(t, stdout+stderr)
	}
	if first := asked[0]; first.Author != "me" || first.Reason != "r" || time.Until(first.Expires).Round(time.Minute) != 2*time.Hour {
		t.Errorf("%+v", first)
	}
	if code, _, stderr := run(t, "", "status", "--data-dir", dir); code != 1 || !strings.Contains(stderr, "version v0, does not know this command") {
		t.Errorf("an older daemon: %d %s", code, stderr)
	}
}

package slack

import (
	"net/http"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

func TestWebhookAnswers(t *testing.T) {
	tests := []struct {
		status    int
		refusal   string
		permanent bool
	}{
		{400, "invalid_payload", true},
		{400, "invalid_blocks", true},
		{400, "no_text", true},
		{400, "too_many_attachments", true},
		{400, "user_not_found", false},
		{400, "channel_not_found", false},
		{403, "action_prohibited", false},
		{403, "invalid_token", false},
		{404, "no_service", false},
		{404, "channel_not_found", false},
		{410, "channel_is_archived", false},
		{410, "gone", true},
		{500, "rollup_error", false},
		{429, "rate_limited", false},
		{200, "log in first", false},
	}
	for _, tt := range tests {
		t.Run(tt.refusal, func(t *testing.T) {
			s := newStandIn(t, false)
			to := openSlack(t, s.config(false))
			s.answer(tt.status, tt.refusal, nil)
			err := to.Deliver(t.Context(), sinktest.Ordinary())
			if err == nil || sink.IsPermanent(err) != tt.permanent || tt.status != 200 && !strings.Contains(err.Error(), tt.refusal) {
				t.Errorf("permanent %v: %v", sink.IsPermanent(err), err)
			}
		})
	}
}

func TestAPIAnswers(t *testing.T) {
	for refusal, permanent := range map[string]bool{
		"msg_too_long": true, "msg_blocks_too_long": true, "invalid_blocks": true, "no_text": true, "invalid_arguments": true,
		"invalid_form_data": true, "channel_not_found": false, "not_in_channel": false, "is_archived": false, "rate_limited": false,
		"not_authed": false, "invalid_auth": false, "account_inactive": false, "token_revoked": false, "missing_scope": false,
		"restricted_action": false, "internal_error": false, "fatal_error": false, "something_new": false,
	} {
		s := newStandIn(t, false)
		to := openSlack(t, s.config(true))
		s.answer(http.StatusOK, refusal, nil)
		err := to.Deliver(t.Context(), sinktest.Ordinary())
		if err == nil || sink.IsPermanent(err) != permanent || !strings.Contains(err.Error(), `refused it: "`+refusal) || strings.Contains(err.Error(), token) {
			t.Errorf("permanent %v: %v", sink.IsPermanent(err), err)
		}
	}
	for body, want := range map[string]string{
		"<html>": "answered 200, but not as Slack does", "{}": "answered 200, but not as Slack does",
		`{"ok":false,"error":"missing_scope","needed":"chat:write"}`: `refused it: "missing_scope, needs chat:write"`,
	} {
		s := newStandIn(t, false)
		to := openSlack(t, s.config(true))
		s.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
		if err := to.Deliver(t.Context(), sinktest.Ordinary()); err == nil || sink.IsPermanent(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

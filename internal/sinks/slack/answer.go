package slack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// excerpt reads the beginning of the body, and puts it back.
func excerpt(resp *http.Response) ([]byte, error) {
	const most = 16 << 10
	body, err := io.ReadAll(io.LimitReader(resp.Body, most))
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), resp.Body), resp.Body}
	return body, err
}

// lacksText is what Slack says of a message with neither text nor blocks.
var lacksText = map[string]bool{"no_text": true, "invalid_payload": true, "missing_text_or_fallback_or_attachments": true}

// settings are the refusals of a webhook, with a status that is final by itself, that are about the
// webhook or its channel, not about the message: somebody mends them.
var settings = map[string]bool{
	"channel_is_archived": true, "channel_not_found": true, "user_not_found": true, "no_service": true, "no_team": true,
	"team_disabled": true, "action_prohibited": true, "posting_to_general_channel_denied": true, "invalid_token": true,
	"no_active_hooks": true, "no_service_id": true, "rollup_error": true,
}

// checkWebhook returns what a webhook said, and an error unless it took the message.
func checkWebhook(resp *http.Response) (said string, err error) {
	body, readErr := excerpt(resp)
	err = sink.CheckResponse(resp)
	said = strings.TrimSpace(string(body))
	switch {
	case err != nil && settings[said]:
		if sink.IsPermanent(err) {
			err = sink.RetryAfter(err, 0)
		}
		return said, err
	case err != nil:
		return said, err
	case readErr != nil:
		return "", fmt.Errorf("read the answer: %w", readErr)
	case said != "ok":
		return said, fmt.Errorf("%s answered %d, but not as Slack does", resp.Request.URL.Host, resp.StatusCode)
	}
	return said, nil
}

// apiAnswer is what each method answers, with status 200 whether it did anything or not.
type apiAnswer struct {
	OK       *bool  `json:"ok"`
	Error    string `json:"error"`
	Needed   string `json:"needed"` // the scope that is missing
	TS       string `json:"ts"`
	Metadata struct {
		Messages []string `json:"messages"`
	} `json:"response_metadata"`
}

// ofTheMessage are the errors that the same message meets at any time. All others are about the token, the
// channel, the workspace or Slack itself, and pass.
var ofTheMessage = map[string]bool{
	"msg_too_long": true, "msg_blocks_too_long": true, "invalid_blocks": true, "invalid_blocks_format": true, "no_text": true,
	"invalid_arguments": true, "invalid_arg_name": true, "invalid_array_arg": true, "invalid_charset": true,
	"invalid_form_data": true, "invalid_post_type": true, "missing_post_type": true, "invalid_json": true,
	"json_not_object": true, "too_many_attachments": true, "markdown_text_conflict": true,
}

// apiError is a refusal of the API.
type apiError struct{ code, text string }

func (e *apiError) Error() string { return e.text }

// isGone reports whether the message that a reply was for is not there, or takes none.
func isGone(err error) bool {
	refusal, ok := errors.AsType[*apiError](err)
	return ok && (refusal.code == "thread_not_found" || refusal.code == "message_not_found" ||
		refusal.code == "cannot_reply_to_message" || refusal.code == "invalid_thread_ts")
}

// checkAPI returns the time stamp of the message that a method posted.
func checkAPI(resp *http.Response) (ts string, err error) {
	body, readErr := excerpt(resp)
	if err := sink.CheckResponse(resp); err != nil {
		return "", err
	}
	var said apiAnswer
	host := resp.Request.URL.Host
	switch err := json.Unmarshal(body, &said); {
	case readErr != nil:
		return "", fmt.Errorf("read the answer: %w", readErr)
	case err != nil || said.OK == nil:
		return "", fmt.Errorf("%s answered %d, but not as Slack does", host, resp.StatusCode)
	case *said.OK:
		return said.TS, nil
	}
	text := said.Error
	if said.Needed != "" {
		text += ", needs " + said.Needed
	}
	if len(said.Metadata.Messages) > 0 {
		text += ": " + strings.Join(said.Metadata.Messages, "; ")
	}
	const most = 300
	if runes := []rune(report.Visible(text)); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	token := sink.Secret(strings.TrimPrefix(resp.Request.Header.Get("Authorization"), "Bearer "))
	refusal := error(&apiError{code: said.Error, text: sink.Hide(fmt.Errorf("%s refused it: %q", host, text), token).Error()})
	if ofTheMessage[said.Error] {
		return "", sink.Permanent(refusal)
	}
	return "", refusal
}

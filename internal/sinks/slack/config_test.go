package slack

import (
	"fmt"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/filelessd/filelessd/pkg/sink"
)

func decode(text string) (sink.Config, error) {
	var r sink.Registry
	sink.Register(&r, Kind)
	kind, _ := r.Kind("slack")
	return kind.Decode(func(into any) error {
		return yaml.UnmarshalWithOptions([]byte(text), into, yaml.Strict())
	})
}

func TestConfig(t *testing.T) {
	const hook = "url: https://hooks.slack.com/services/T/B/SECRET\n"
	const bot = "token: xoxb-SECRET\nchannel: C0123456789\n"
	tests := []struct{ name, yaml, want string }{
		{"webhook", hook, ""},
		{"bot", bot, ""},
		{"all", bot + "reply_broadcast: true\napi_url: https://slack-gov.com/api\nmentions: [channel, here, everyone, U0123, S0123]\nmention_severity: low\nlink: https://x/{id}", ""},
		{"by name", "token: xoxb-SECRET\nchannel: '#sécurité'", ""},
		{"nothing", "{}", "url: missing; want the url of an incoming webhook, or a token and a channel"},
		{"both", hook + bot, "url: goes without token"},
		{"no scheme", "url: SECRET", "url: want a URL that begins with http:// or https://"},
		{"webhook with a channel", hook + "channel: C01\nreply_broadcast: true", "channel: goes with token; a webhook has a channel of its own\nreply_broadcast: goes with token; a webhook has no threads"},
		{"bot without a channel", "token: xoxb-SECRET", `channel: want an id such as C0123456789, or #name, got ""`},
		{"channel", "token: xoxb-SECRET\nchannel: security", `channel: want an id such as C0123456789, or #name, got "security"`},
		{"token", "token: \"Bearer SECRET\"\nchannel: c\n", "token: has blanks or control characters\n" + `channel: want an id such as C0123456789, or #name, got "c"`},
		{"api", bot + "api_url: slack.com", "api_url: want a URL that begins with http:// or https://"},
		{"mention", hook + "mentions: ['@jane']", `mentions: want channel, here, everyone, or an id such as U0123456789 or S0123456789, got "@jane"`},
		{"severity", hook + "mention_severity: hi", `mention_severity: want one of [info low medium high critical], got "hi"`},
		{"link", hook + "link: https://x/", "link: want {id} in it, for the report's id"},
		{"tls", hook + "tls: {cert_file: /c}", "tls: cert_file and key_file go together"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config, err := decode(tt.yaml)
			if err != nil {
				t.Fatal(err)
			}
			err = config.Validate()
			if err == nil && tt.want != "" || err != nil && err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if shown := fmt.Sprintf("%v %+v %#v %v", config, config, config, err); strings.Contains(shown, "SECRET") {
				t.Errorf("shows a secret: %s", shown)
			}
		})
	}
	many := Kind.Default()
	many.URL, many.Mentions, many.Link = "https://x", strings.Split(strings.Repeat("here ", 20)+"here", " "), "https://x/{id}"+strings.Repeat("x", 1000)
	for _, want := range []string{"mentions: 21, and a message has room for 20", "link: longer than 1000 bytes"} {
		if err := many.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := decode(hook + "username: x"); err == nil {
		t.Error("an unknown key is no error")
	}
}

package slack

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Config is the configuration of a sink of type slack. It has a URL, or a token and a channel.
type Config struct {
	// URL is that of an incoming webhook. It is treated as a secret as a whole; messages name its scheme and
	// host only. A webhook can not answer in threads.
	URL sink.Secret `yaml:"url"`
	// Token is that of a bot with the scope chat:write, which keeps all reports on one attack in one
	// thread; it goes with channel.
	Token sink.Secret `yaml:"token"`
	// Channel is the id of the channel, such as C0123456789, or its name, such as #security. The bot must
	// be in it.
	Channel string `yaml:"channel"`
	// ReplyBroadcast shows what is posted into a thread in the channel too.
	ReplyBroadcast bool `yaml:"reply_broadcast"`
	// APIURL is where the methods of the API are.
	APIURL string `yaml:"api_url"`
	// Mentions are whom to notify: channel, here, everyone, or the id of a user (U…) or user group (S…).
	Mentions []string `yaml:"mentions"`
	// MentionSeverity is from which severity on they are notified: info, low, medium, high or critical.
	MentionSeverity string `yaml:"mention_severity"`
	// Link is where a report can be read, with {id} for its id.
	Link string `yaml:"link"`
	// TLS is about certificates.
	TLS sink.TLS `yaml:"tls"`
}

const (
	maxMentions = 20
	maxLink     = 1000
)

var (
	channelName = regexp.MustCompile(`^(?:[CGDU][A-Z0-9]{2,30}|#[^\s#<>&|]{1,80})$`)
	mentionID   = regexp.MustCompile(`^(?:channel|here|everyone|[UW][A-Z0-9]{2,30}|S[A-Z0-9]{2,30})$`)
)

// Validate says what is wrong with c.
func (c Config) Validate() error {
	errs := []error{c.checkWay()}
	if len(c.Mentions) > maxMentions {
		errs = append(errs, fmt.Errorf("mentions: %d, and a message has room for %d", len(c.Mentions), maxMentions))
	}
	for _, m := range c.Mentions {
		if !mentionID.MatchString(m) {
			errs = append(errs, fmt.Errorf("mentions: want channel, here, everyone, or an id such as U0123456789 or S0123456789, got %q", m))
		}
	}
	if !slices.Contains(report.Severities(), report.Severity(c.MentionSeverity)) {
		errs = append(errs, fmt.Errorf("mention_severity: want one of %v, got %q", report.Severities(), c.MentionSeverity))
	}
	if len(c.Link) > maxLink {
		errs = append(errs, fmt.Errorf("link: longer than %d bytes", maxLink))
	}
	return errors.Join(append(errs, sink.CheckLink("link", c.Link), c.TLS.Validate())...)
}

// checkWay checks what says where to, and as whom.
func (c Config) checkWay() error {
	switch {
	case c.URL == "" && c.Token == "":
		return errors.New("url: missing; want the url of an incoming webhook, or a token and a channel")
	case c.URL != "" && c.Token != "":
		return errors.New("url: goes without token")
	case c.URL != "":
		var errs []error
		if _, err := sink.ParseURL(c.URL); err != nil {
			errs = append(errs, fmt.Errorf("url: %w", err))
		}
		if c.Channel != "" {
			errs = append(errs, errors.New("channel: goes with token; a webhook has a channel of its own"))
		}
		if c.ReplyBroadcast {
			errs = append(errs, errors.New("reply_broadcast: goes with token; a webhook has no threads"))
		}
		return errors.Join(errs...)
	}
	var errs []error
	if !httpguts.ValidHeaderFieldValue(string(c.Token)) || strings.ContainsAny(string(c.Token), " \t") {
		errs = append(errs, errors.New("token: has blanks or control characters"))
	}
	if !channelName.MatchString(c.Channel) {
		errs = append(errs, fmt.Errorf("channel: want an id such as C0123456789, or #name, got %q", c.Channel))
	}
	if _, err := c.method(""); err != nil {
		errs = append(errs, fmt.Errorf("api_url: %w", err))
	}
	return errors.Join(errs...)
}

// method is the URL of a method of the API.
func (c Config) method(name string) (*url.URL, error) {
	u, err := sink.ParseURL(sink.Secret(c.APIURL))
	if err != nil {
		return nil, err
	}
	return u.JoinPath(name), nil
}

package teams

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Config is the configuration of a sink of type teams.
type Config struct {
	// URL is that of the workflow's trigger "When a Teams webhook request is received". It is treated as
	// a secret as a whole, since its signature lets anyone post; messages name its scheme and host only.
	URL sink.Secret `yaml:"url"`
	// Mentions are people to notify: the user principal name or the Entra object id, with the name to
	// show before it if it is another: Jane Doe <jane@example.com>.
	Mentions []string `yaml:"mentions"`
	// MentionSeverity is from which severity on they are notified: info, low, medium, high or critical.
	MentionSeverity string `yaml:"mention_severity"`
	// Link is where a report can be read, with {id} for its id; the card gets a button to it.
	Link string `yaml:"link"`
	// TLS is about certificates.
	TLS sink.TLS `yaml:"tls"`
}

const (
	maxMentions = 20
	maxMention  = 200
	maxLink     = 1000
)

// Validate says what is wrong with c.
func (c Config) Validate() error {
	var errs []error
	if _, err := sink.ParseURL(c.URL); err != nil {
		errs = append(errs, fmt.Errorf("url: %w", err))
	}
	if len(c.Mentions) > maxMentions {
		errs = append(errs, fmt.Errorf("mentions: %d, and a card has room for %d", len(c.Mentions), maxMentions))
	}
	for _, m := range c.Mentions {
		if _, err := parsePerson(m); err != nil {
			errs = append(errs, fmt.Errorf("mentions: %w", err))
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

// person is somebody to mention.
type person struct{ name, id string }

// parsePerson reads "id" or "name <id>".
func parsePerson(text string) (person, error) {
	p := person{name: strings.TrimSpace(text), id: strings.TrimSpace(text)}
	if name, rest, ok := strings.Cut(text, "<"); ok {
		id, after, closed := strings.Cut(rest, ">")
		if !closed || strings.TrimSpace(after) != "" {
			return person{}, fmt.Errorf("want NAME <ID> or ID, got %q", text)
		}
		p = person{name: strings.TrimSpace(name), id: strings.TrimSpace(id)}
	}
	// Of the name Teams makes markup, so that it must not have any itself.
	bad := func(s, more string) bool { return strings.ContainsAny(s, "<>&\"\\"+more) || report.Visible(s) != s }
	switch {
	case len(text) > maxMention:
		return person{}, fmt.Errorf("longer than %d bytes: %.20q…", maxMention, text)
	case p.name == "" || p.id == "":
		return person{}, fmt.Errorf("want NAME <ID> or ID, got %q", text)
	case bad(p.name, "*_[]()`{}") && p.name != p.id, bad(p.id, " "):
		return person{}, fmt.Errorf("%q has characters that a mention can not have", text)
	}
	return p, nil
}

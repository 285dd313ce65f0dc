// Package teams is the sink that posts reports as Adaptive Cards to a channel or chat of Microsoft
// Teams, through a workflow of Power Automate that begins with "When a Teams webhook request is
// received". The older connectors of Office 365, which took cards of another kind, are gone.
package teams

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Kind is the kind of sink.
var Kind = sink.Kind[Config]{
	Name:    "teams",
	Summary: "posts cards to Microsoft Teams through a workflow",
	Default: func() Config { return Config{MentionSeverity: string(report.High)} },
	Open:    open,
}

func open(_ context.Context, c Config, env sink.Env) (sink.Sink, error) {
	target, err := sink.ParseURL(c.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	client, err := sink.HTTPClient(c.TLS)
	if err != nil {
		return nil, err
	}
	t := &teams{url: target, client: client, link: c.Link, from: report.Severity(c.MentionSeverity), agent: "filelessd"}
	if env.Version != "" {
		t.agent += "/" + env.Version
	}
	for _, m := range c.Mentions {
		p, err := parsePerson(m)
		if err != nil {
			return nil, fmt.Errorf("mentions: %w", err)
		}
		t.people = append(t.people, p)
	}
	return t, nil
}

type teams struct {
	url    *url.URL
	client *http.Client
	agent  string
	link   string
	people []person
	from   report.Severity // from which on people are mentioned
}

// Deliver posts a card. That the workflow took it is all that it says; what it does with the card
// shows in the history of its runs.
func (t *teams) Deliver(ctx context.Context, r *report.Report) error {
	resp, err := t.do(ctx, http.MethodPost, t.message(r)) //nolint:bodyclose // check closes it
	if err != nil {
		return err
	}
	return check(resp, excerpt(resp))
}

// Probe asks for the trigger with GET, which starts no run: a workflow that is there and on says that
// it wants POST.
func (t *teams) Probe(ctx context.Context) error {
	resp, err := t.do(ctx, http.MethodGet, nil) //nolint:bodyclose // check closes it
	if err != nil {
		return err
	}
	body := excerpt(resp)
	code := resp.StatusCode
	err = check(resp, body)
	switch {
	case bytes.Contains(body, []byte(turnedOff)), code/100 == 3, code/100 == 5,
		code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusTooManyRequests:
		return err
	case code == http.StatusNotFound && !bytes.Contains(body, []byte(wrongMethod)):
		return err
	}
	return nil
}

func (t *teams) do(ctx context.Context, method string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, t.url.String(), bytes.NewReader(body))
	if err != nil { // which shows the URL
		return nil, errors.New("can not make a request of the url")
	}
	req.Header.Set("User-Agent", t.agent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json; charset=utf-8")
	}
	return sink.Do(t.client, req)
}

// What Power Automate says, as error.code.
const (
	turnedOff   = "WorkflowTriggerIsNotEnabled" // also of a workflow that was deleted
	wrongMethod = "TriggerRequestMethodNotValid"
)

// excerpt reads the beginning of the body of an error, and puts it back.
func excerpt(resp *http.Response) []byte {
	if resp.StatusCode/100 == 2 {
		return nil
	}
	const most = 4 << 10 // not more than CheckResponse quotes from
	body, err := io.ReadAll(io.LimitReader(resp.Body, most))
	rest := io.Reader(resp.Body)
	if err != nil {
		rest = strings.NewReader("")
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), rest), resp.Body}
	return body
}

// check returns the error of an answer. A workflow that is off answers 400, as one does to a message
// that it can not read; but that passes when somebody turns it on.
func check(resp *http.Response, body []byte) error {
	err := sink.CheckResponse(resp)
	if resp.StatusCode == http.StatusBadRequest && bytes.Contains(body, []byte(turnedOff)) {
		return sink.RetryAfter(fmt.Errorf("the workflow is turned off or was deleted: %w", err), 0)
	}
	return err
}

// Close gives back idle connections.
func (t *teams) Close() error {
	t.client.CloseIdleConnections()
	return nil
}

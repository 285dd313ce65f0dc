package nats

import (
	"context"
	"encoding/json"

	"github.com/nats-io/nats.go"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// message is r as a message with at most that many bytes, its header included.
func (s *natsSink) message(ctx context.Context, r *report.Report, most int64) (*nats.Msg, error) {
	m := nats.NewMsg(subjectOf(s.subject, r))
	m.Header.Set(nats.MsgIdHdr, r.ID)
	m.Header.Set("Content-Type", contentType(s.config.Format))
	m.Header.Set("Filelessd-Thread", sink.ThreadKey(ctx, r))
	if s.config.Stream != "" {
		m.Header.Set(nats.ExpectedStreamHdr, s.config.Stream)
	}
	body, err := s.render(r)
	if err != nil {
		return nil, err
	}
	const header = 1024 // more than it can have
	if m.Data = body; most > 0 && int64(len(body)) > most-header {
		m.Header.Set("Content-Type", contentType("json"))
		m.Header.Set("Filelessd-Shortened", "true")
		m.Data, err = shortened(r)
	}
	return m, err
}

func contentType(format string) string {
	switch format {
	case "json", "ecs", "ocsf":
		return "application/json"
	case "html":
		return "text/html; charset=utf-8"
	case "markdown":
		return "text/markdown; charset=utf-8"
	default:
		return "text/plain; charset=utf-8"
	}
}

// shortened is the brief as JSON, for a report that is larger than the server takes, which nearly always
// means a value that is long on purpose.
func shortened(r *report.Report) ([]byte, error) {
	b := sink.NewBrief(r)
	type fact struct {
		Label string `json:"label"`
		Field string `json:"field,omitempty"`
		Value string `json:"value"`
	}
	short := struct {
		ID        string   `json:"id"`
		Kind      string   `json:"kind"`
		Severity  string   `json:"severity"`
		Verdict   string   `json:"verdict"`
		Score     int      `json:"score"`
		Headline  string   `json:"headline"`
		Facts     []fact   `json:"facts"`
		Action    string   `json:"action"`
		Commands  []string `json:"commands"`
		Summary   string   `json:"summary"`
		Shortened bool     `json:"shortened"`
		Note      string   `json:"note"`
	}{
		ID: r.ID, Kind: string(r.Kind), Severity: string(r.Severity), Verdict: string(r.Verdict), Score: r.Score,
		Headline: cut(b.Headline), Facts: []fact{}, Action: cut(b.Action), Commands: []string{}, Summary: cut(b.Summary), Shortened: true,
		Note: "the report is larger than the server takes: values are cut, and most is left out; " + sink.Where(r, ""),
	}
	for _, f := range b.Facts {
		short.Facts = append(short.Facts, fact{f.Label, f.Field, cut(f.Value)})
	}
	for _, c := range b.Commands { // half a command may do something else
		if len(c) <= longestText && len(short.Commands) < 3 {
			short.Commands = append(short.Commands, report.Visible(c))
		}
	}
	return json.Marshal(short)
}

const longestText = 1024

// cut is the beginning of a value, in which all can be seen.
func cut(raw string) string {
	if len(raw) <= longestText {
		return report.Visible(raw)
	}
	return report.Visible(raw[:longestText]) + "…"
}

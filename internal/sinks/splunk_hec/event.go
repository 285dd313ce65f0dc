package splunkhec

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// events writes reports as events of the collector.
type events struct {
	config Config
	render func(*report.Report) ([]byte, error)
}

// envelope is what stands around an event. Of its texts only the host is the alert's.
type envelope struct {
	Time       json.Number `json:"time"`
	Host       string      `json:"host,omitempty"`
	Source     string      `json:"source,omitempty"`
	SourceType string      `json:"sourcetype"`
	Index      string      `json:"index,omitempty"`
	Fields     fields      `json:"fields"`
}

// fields are indexed with the event, so that they are found without reading it, and however long it
// is. They have few values, except for the id, by which repeats are told.
type fields struct {
	ID         string `json:"report_id"`
	Kind       string `json:"kind"`
	Severity   string `json:"severity,omitempty"`
	Verdict    string `json:"verdict,omitempty"`
	Confidence string `json:"confidence,omitempty"`
	Score      string `json:"score,omitempty"`
	Technique  string `json:"technique,omitempty"`
}

// one returns the event of r. The formats that are JSON become its object, others its text.
func (e events) one(r *report.Report) ([]byte, error) {
	body, err := e.render(r)
	if err != nil {
		return nil, err
	}
	around := envelope{
		Time: epoch(r.CreatedAt), Source: e.config.Source, SourceType: e.config.sourceType(), Index: e.config.Index,
		Fields: fields{
			ID: r.ID, Kind: string(r.Kind), Severity: string(r.Severity), Verdict: string(r.Verdict),
			Confidence: string(r.Confidence), Technique: string(r.Technique),
		},
	}
	if r.Verdict != "" {
		around.Fields.Score = strconv.Itoa(r.Score)
	}
	if r.Event != nil {
		around.Host = host(r.Event.Hostname)
		if !r.Event.Time.IsZero() {
			around.Time = epoch(r.Event.Time)
		}
	}
	event, err := json.Marshal(around)
	if err != nil {
		return nil, err
	}
	if !isObject(e.config.Format) {
		if body, err = text(body); err != nil {
			return nil, err
		}
	}
	// Not by a json.RawMessage in the envelope: that would copy the report, and write < as \u003c.
	event = append(event[:len(event)-1], `,"event":`...)
	event = append(event, bytes.TrimRight(body, "\n")...)
	return append(event, '}'), nil
}

func isObject(format string) bool { return sink.OneLine(format) && format != "cef" }

// text writes body as a JSON string.
func text(body []byte) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(string(bytes.TrimRight(body, "\n")))
	return b.Bytes(), err
}

// epoch writes a time as the collector reads it: seconds with three decimals. The event has all.
func epoch(t time.Time) json.Number {
	return json.Number(strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64))
}

// host is a name as Splunk can show it: visible, and of a bearable length.
func host(name string) string {
	const most = 255
	name = report.Visible(name)
	if len(name) <= most {
		return name
	}
	end := most
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end]
}

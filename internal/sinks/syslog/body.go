package syslog

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// body is the text of a message in limit bytes. What does not fit is replaced by a shorter form that
// the same reader can take apart: JSON stays JSON, CEF stays CEF.
func (w writer) body(r *report.Report, limit int) ([]byte, error) {
	if w.format == "text" {
		return []byte(w.pairs(r, limit)), nil
	}
	whole, err := w.render(r)
	if err != nil || len(whole) <= limit {
		return whole, err
	}
	switch w.format {
	case sink.FormatTemplate:
		pieces := []sink.Piece{{Name: "text", Text: string(whole), Required: true}}
		return []byte(w.fit(r, limit, nil, " (", ")").Text(pieces)), nil
	case "cef":
		return []byte(w.shortCEF(r, string(whole), limit)), nil
	default:
		return []byte(w.shortJSON(r, limit)), nil
	}
}

func (w writer) fit(r *report.Report, limit int, escape func(string) string, before, after string) sink.Fit {
	return sink.Fit{Limit: limit, Escape: escape, Where: sink.Where(r, w.link), NoteBefore: before, NoteAfter: after}
}

// pairs is the brief as key="value", so that no value can pass for another key.
func (w writer) pairs(r *report.Report, limit int) string {
	pieces := withID(sink.NewBrief(r).Pieces(keyed(`="`, `" `)))
	return w.fit(r, limit, escapePair, `note="`, `"`).Text(pieces)
}

var pairEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func escapePair(raw string) string { return pairEscapes.Replace(report.Visible(raw)) }

// shortJSON is the brief as an object with the keys of pairs. Each piece ends with a comma, and so does
// the note, since not even one of them has to be there.
func (w writer) shortJSON(r *report.Report, limit int) string {
	const first, last = `{`, `"shortened":true}`
	key := keyed(`":"`, `",`)
	pieces := withID(sink.NewBrief(r).Pieces(func(label string) (string, string) {
		before, after := key(label)
		return `"` + before, after
	}))
	return first + w.fit(r, limit-len(first)-len(last), escapeJSON, `"note":"`, `",`).Text(pieces) + last
}

// withID has the ID be there whatever is left out: it is what a message is found by.
func withID(pieces []sink.Piece) []sink.Piece {
	for i := range pieces {
		if pieces[i].Name == strings.ToLower(sink.LabelID) {
			pieces[i].Required = true
		}
	}
	return pieces
}

// keyed returns what stands around the piece of a label: its name as a key, which is numbered where it
// comes again.
func keyed(before, after string) func(label string) (string, string) {
	seen := map[string]int{}
	return func(label string) (string, string) {
		key := strings.ReplaceAll(strings.ToLower(label), " ", "_")
		if label == sink.LabelAttack {
			key = "attack"
		}
		if seen[key]++; seen[key] > 1 {
			key += "_" + strconv.Itoa(seen[key])
		}
		return key + before, after
	}
}

// escapeJSON is the inside of a string of JSON.
func escapeJSON(raw string) string {
	quoted, err := json.Marshal(report.Visible(raw))
	if err != nil {
		return ""
	}
	return string(quoted[1 : len(quoted)-1])
}

package render

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
)

// IndexEntry is one report in an index.
type IndexEntry struct {
	// Page is the name of the report's file beside the index, of letters, digits, "-", "_" and ".".
	// An entry with another name gets no link: it could lead elsewhere.
	Page      string
	Time      time.Time // of the event; zero if not known
	Host      string
	Technique report.Technique
	Verdict   report.Verdict
	Severity  report.Severity
	Score     int
	Title     string
}

// IndexEntryOf is the entry of r, whose page is in the file of that name.
func IndexEntryOf(r *report.Report, page string) IndexEntry {
	e := IndexEntry{
		Page: page, Technique: r.Technique, Verdict: r.Verdict, Severity: r.Severity, Score: r.Score, Title: r.Title,
	}
	if r.Event != nil {
		e.Time, e.Host = r.Event.Time, r.Event.Hostname
	}
	return e
}

// Index writes a page that lists reports, those that matter most first: by verdict, by score, and
// the older before the younger.
func Index(entries []IndexEntry) []byte {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b IndexEntry) int {
		if c := urgency(b.Verdict) - urgency(a.Verdict); c != 0 {
			return c
		}
		if c := b.Score - a.Score; c != 0 {
			return c
		}
		return a.Time.Compare(b.Time)
	})
	many := fmt.Sprintf("%d reports of fileless execution", len(entries))
	if len(entries) == 1 {
		many = "1 report of fileless execution"
	}
	head := banner{kind: "filelessd", words: line{words(many)}}
	verdicts := tallies(entries, verdictName)
	for _, v := range verdicts {
		head.notes = append(head.notes, line{words(fmt.Sprintf("%d %s", v.n, v.name))})
	}
	if len(entries) > 0 {
		head.tone = toneOf(entries[0].Verdict, entries[0].Severity)
	}
	h := html{out: make([]byte, 0, 16<<10+len(entries)*512)}
	h.open(many, head.tone)
	h.banner(head)
	h.heading(heading{level: 1, text: line{words("Index of reports")}})
	if len(entries) > 0 {
		h.entries(entries)
		h.heading(heading{level: 2, text: line{words("By technique and verdict")}})
		h.block(crossTable(entries, verdicts))
	} else {
		h.block(paragraph{line{words("No alert showed fileless execution.")}})
	}
	h.close()
	return h.out
}

// urgency orders verdicts.
func urgency(v report.Verdict) int {
	return slices.Index([]report.Verdict{report.BenignLikely, report.Test, report.Suspicious, report.MaliciousLikely}, v)
}

// verdictName is a constant: nothing of a report becomes the title of a column.
func verdictName(e IndexEntry) string {
	switch {
	case e.Verdict == "":
		return "none"
	case urgency(e.Verdict) < 0:
		return "other"
	default:
		return string(e.Verdict)
	}
}

type tally struct {
	name string
	n    int
}

// tallies counts entries by what key says of them, in the order of their first appearance.
func tallies(entries []IndexEntry, key func(IndexEntry) string) []tally {
	var all []tally
	at := map[string]int{}
	for _, e := range entries {
		name := key(e)
		i, ok := at[name]
		if !ok {
			i = len(all)
			at[name] = i
			all = append(all, tally{name: name})
		}
		all[i].n++
	}
	return all
}

// crossTable counts entries by technique and verdict.
func crossTable(entries []IndexEntry, verdicts []tally) table {
	t := table{columns: []column{{title: "Technique"}}}
	for _, v := range verdicts {
		t.columns = append(t.columns, column{title: v.name, right: true})
	}
	t.columns = append(t.columns, column{title: "all", right: true})
	cells := map[[2]string]int{}
	for _, e := range entries {
		cells[[2]string{string(e.Technique), verdictName(e)}]++
	}
	for _, technique := range tallies(entries, func(e IndexEntry) string { return string(e.Technique) }) {
		row := []cell{text(orNone(technique.name))}
		for _, v := range verdicts {
			row = append(row, text(strconv.Itoa(cells[[2]string{technique.name, v.name}])))
		}
		t.rows = append(t.rows, append(row, text(strconv.Itoa(technique.n))))
	}
	return t
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// entries is a table of its own, since no other page has links.
func (h *html) entries(entries []IndexEntry) {
	h.raw("<div class=\"scroll\">\n<table class=\"rows index\">\n<thead><tr>")
	for _, title := range []string{"Report", "Verdict", "Score", "Technique", "Host", "Time"} {
		h.raw("<th scope=\"col\">" + title + "</th>")
	}
	h.raw("</tr></thead>\n<tbody>\n")
	for i := range entries {
		e := &entries[i]
		h.raw("<tr><td data-title=\"Report\">")
		h.link(e.Page, e.Title)
		h.raw("</td><td data-title=\"Verdict\" class=\"keep\"><span class=\"tag " + toneClass[toneOf(e.Verdict, e.Severity)] + "\">")
		h.raw(verdictName(*e))
		h.raw("</span></td><td data-title=\"Score\" class=\"right\">")
		h.number(e.Score)
		h.raw("</td><td data-title=\"Technique\">")
		h.line(line{words(string(e.Technique))})
		h.raw("</td><td data-title=\"Host\">")
		if e.Host != "" {
			h.line(data(e.Host))
		}
		h.raw("</td><td data-title=\"Time\" class=\"keep\">")
		if e.Time.IsZero() {
			h.raw("not in the alert")
		} else {
			h.raw(e.Time.UTC().Format("2006-01-02 15:04:05 UTC"))
		}
		h.raw("</td></tr>\n")
	}
	h.raw("</tbody>\n</table>\n</div>\n")
}

// link writes a title that leads to a page beside the index.
func (h *html) link(page, title string) {
	text, _ := shown(title, longestValue)
	if strings.TrimSpace(text) == "" {
		text = "(no title)"
	}
	if !isPageName(page) {
		h.text(text)
		return
	}
	h.raw("<a href=\"" + page + "\">")
	h.text(text)
	h.raw("</a>")
}

// isPageName reports whether name is a file beside the index and nothing else, such as a path or a
// scheme.
func isPageName(name string) bool {
	if name == "" || name[0] == '.' {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !isAlphanumeric(c) && strings.IndexByte("-_.", c) < 0 {
			return false
		}
	}
	return true
}

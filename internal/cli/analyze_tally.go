package cli

import (
	"fmt"
	"io"
	"slices"

	"github.com/filelessd/filelessd/pkg/report"
)

// tally counts what a run has seen.
type tally struct {
	alerts, matched, malformed int
	techniques                 map[report.Technique]int
	verdicts                   map[report.Verdict]int
}

func (t *tally) add(r *report.Report) {
	if t.techniques == nil {
		t.techniques, t.verdicts = map[report.Technique]int{}, map[report.Verdict]int{}
	}
	t.matched++
	t.techniques[r.Technique]++
	t.verdicts[r.Verdict]++
}

// show writes a table for a person; a program gets the same line as ever.
func (t *tally) show(p *program) {
	if !p.StderrIsTerminal {
		fmt.Fprintf(p.Stderr, "%d alerts, %d show fileless execution, %d lines malformed\n", t.alerts, t.matched, t.malformed)
		return
	}
	rows := []row{{"Alerts", t.alerts}, {"Fileless execution", t.matched}}
	rows = append(rows, counted(t.techniques, nil)...)
	if t.matched > 0 {
		rows = append(rows, row{"By verdict", -1})
	}
	order := []report.Verdict{report.MaliciousLikely, report.Suspicious, report.BenignLikely, report.Test}
	rows = append(rows, counted(t.verdicts, order)...)
	rows = append(rows, row{"Malformed lines", t.malformed})
	fmt.Fprintln(p.Stderr)
	printRows(p.Stderr, rows)
}

// row is a line of the table; a count below 0 is none.
type row struct {
	name  string
	count int
}

// counted has a row for each name, those of order in that order, else the most frequent first.
func counted[K ~string](counts map[K]int, order []K) []row {
	names := order
	if names == nil {
		for name := range counts {
			names = append(names, name)
		}
		slices.SortFunc(names, func(a, b K) int {
			if c := counts[b] - counts[a]; c != 0 {
				return c
			}
			return slices.Compare([]byte(a), []byte(b))
		})
	}
	var rows []row
	for _, name := range names {
		if n := counts[name]; n > 0 {
			rows = append(rows, row{"  " + string(name), n})
		}
	}
	return rows
}

func printRows(w io.Writer, rows []row) {
	wide, digits := 0, 0
	for _, r := range rows {
		wide, digits = max(wide, len(r.name)), max(digits, len(fmt.Sprint(max(r.count, 0))))
	}
	for _, r := range rows {
		if r.count < 0 {
			fmt.Fprintln(w, r.name)
			continue
		}
		fmt.Fprintf(w, "%-*s  %*d\n", wide, r.name, digits, r.count)
	}
}

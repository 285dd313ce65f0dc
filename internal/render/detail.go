package render

import (
	"fmt"

	"github.com/filelessd/filelessd/pkg/report"
)

// score is the ledger: each factor with what it rests on, and the sum.
func score(r *report.Report) []block {
	if len(r.Factors) == 0 {
		return nil
	}
	t := table{columns: []column{{title: "Factor"}, {title: "Points", right: true}, {title: "Because"}, {title: "Field = value"}}}
	sum := 0
	for _, f := range r.Factors {
		sum += f.Weight
		t.rows = append(t.rows, []cell{
			text(f.ID), text(fmt.Sprintf("%+d", f.Weight)), text(f.Reason), evidence(r.Event, f.Evidence),
		})
	}
	t.rows = append(t.rows, []cell{{{loud("Total")}}, {{loud(fmt.Sprint(r.Score))}}, total(r, sum)})
	return []block{scoreLedger(r), t, paragraph{line{words("Whoever runs a program chooses its name, its arguments and the name of " +
		"its memory file. No such value lowers the score by more than 25 points on its own. The rule's priority takes no part.")}}}
}

func scoreLedger(r *report.Report) ledger {
	l := ledger{score: r.Score, tone: toneOf(r.Verdict, r.Severity)}
	for _, f := range r.Factors {
		l.steps = append(l.steps, step{report.Visible(f.ID), f.Weight})
	}
	l.about = fmt.Sprintf("%d factors lead to a score of %d of 100; the classes begin at %d and %d.",
		len(r.Factors), r.Score, suspiciousFrom, maliciousFrom)
	return l
}

// total says how the score follows from the sum, and the class from the score.
func total(r *report.Report, sum int) cell {
	var c cell
	switch {
	case sum == r.Score:
	case sum < 0:
		c = text(fmt.Sprintf("The sum is %d; a score is never below 0.", sum))
	case sum > 100:
		c = text(fmt.Sprintf("The sum is %d; a score is never above 100.", sum))
	default:
		c = text(fmt.Sprintf("The sum is %d.", sum))
	}
	if r.Verdict == report.Test {
		return append(c, line{words("Class test: it replaces the class of this score, because the event looks like a test.")})
	}
	return append(c, line{words("Class " + string(r.Verdict) + ".")})
}

// attack lists what the event supports of MITRE ATT&CK, each tactic with its ID.
func attack(r *report.Report) []block {
	if len(r.Attack) == 0 {
		return nil
	}
	t := table{columns: []column{{title: "ID"}, {title: "Technique"}, {title: "Tactics (version of ATT&CK)"}}}
	for _, a := range r.Attack {
		var c cell
		for _, tactic := range a.Tactics {
			c = append(c, line{words(tactic.ID + " " + tactic.Name + " (" + tactic.Version + ")")})
		}
		t.rows = append(t.rows, []cell{text(a.ID), text(a.Name), c})
	}
	return []block{t}
}

func explanations(r *report.Report) []block {
	if len(r.Explanations) == 0 {
		return nil
	}
	t := table{columns: []column{
		{title: "#", right: true}, {title: "Explanation"}, {title: "For"}, {title: "Against or open"}, {title: "Settled by"},
	}}
	for i, e := range r.Explanations {
		t.rows = append(t.rows, []cell{
			text(fmt.Sprint(i + 1)), text(e.Statement), arguments(r, e.For), arguments(r, e.Against), text(e.SettledBy),
		})
	}
	return []block{t}
}

// arguments are sentences, or names of evidence.
func arguments(r *report.Report, all []string) cell {
	var c cell
	for _, a := range all {
		if val, ok := lookup(r.Event, a); ok {
			c = append(c, named(a, val))
		} else {
			c = append(c, line{words(a)})
		}
	}
	return c
}

func unknowns(r *report.Report) []block {
	if len(r.Unknowns) == 0 {
		return nil
	}
	t := table{columns: []column{{title: "Field"}, {title: "Why it matters"}, {title: "How to learn it"}}}
	for _, u := range r.Unknowns {
		field := cell{label(u.Field)}
		if u.Field == "" {
			field = text("no field tells")
		}
		t.rows = append(t.rows, []cell{field, text(u.Why), text(u.How)})
	}
	return []block{t}
}

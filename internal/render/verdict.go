package render

import (
	"fmt"

	"github.com/filelessd/filelessd/pkg/report"
)

// limits are those of the classes, as pkg/report has them.
const limits = "below 30 benign-likely, 30 to 64 suspicious, 65 and above malicious-likely"

// suspiciousFrom and maliciousFrom are the same limits as numbers.
const (
	suspiciousFrom = 30
	maliciousFrom  = 65
)

// verdict puts class and confidence into words.
func verdict(r *report.Report) string { return r.Verdict.Words(r.Confidence) }

// toneOf is the tone of a verdict; of a report without one, that of its severity.
func toneOf(v report.Verdict, s report.Severity) tone {
	switch v {
	case report.Test:
		return tested
	case report.BenignLikely:
		return calm
	case report.Suspicious:
		return wary
	case report.MaliciousLikely:
		return alarmed
	case "":
		if s.Rank() >= report.High.Rank() {
			return wary
		}
	}
	return neutral
}

func verdictBanner(r *report.Report) []block {
	b := banner{tone: toneOf(r.Verdict, r.Severity), kind: r.Kind.Words(), words: line{words(verdict(r))}}
	if r.Verdict == "" {
		b.words = line{words(r.Kind.Words())}
		b.kind = "filelessd"
	} else {
		b.notes = append(b.notes, line{words(string(r.Verdict) + ", " + string(r.Confidence) + " confidence")})
	}
	if len(r.Factors) > 0 {
		b.notes = append(b.notes, line{words(fmt.Sprintf("score %d of 100", r.Score))})
	}
	if r.Severity != "" {
		b.notes = append(b.notes, line{words("severity " + string(r.Severity))})
	}
	return []block{b}
}

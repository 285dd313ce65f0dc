package analyze

import (
	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/pkg/report"
)

// boundFactor is a line that the ledger can have, with the function that finds its evidence.
type boundFactor struct {
	knowledge.Factor
	applies func(*Analyzer, *subject) (evidence []string)
}

// Class limits of the score.
const (
	suspiciousFrom = 30
	maliciousFrom  = 65
	highFrom       = 50
	criticalFrom   = 80
)

// score writes the ledger: the strongest base factor, then all others that apply.
func (a *Analyzer) score(s *subject) {
	sum := 0
	add := func(f knowledge.Factor, evidence []string) {
		s.report.Factors = append(s.report.Factors, report.Factor{
			ID: f.ID, Weight: f.Weight, Reason: f.Reason, Evidence: evidence,
		})
		sum += f.Weight
	}
	add(a.strongest(s))
	for _, f := range a.factors {
		if evidence := f.applies(a, s); len(evidence) > 0 {
			add(f.Factor, evidence)
		}
	}
	s.report.Score = min(max(sum, 0), 100)
}

// strongest returns the base factor that is worth most, and the evidence for it.
func (a *Analyzer) strongest(s *subject) (best knowledge.Factor, evidence []string) {
	for _, h := range s.hits {
		if f, ok := a.base.Factor(h.Base); ok && f.Weight > best.Weight {
			best, evidence = f, h.Evidence
		}
	}
	return best, evidence
}

// has reports whether the ledger has one of the factors.
func (s *subject) has(ids ...string) bool {
	for _, f := range s.report.Factors {
		for _, id := range ids {
			if f.ID == id {
				return true
			}
		}
	}
	return false
}

// judge draws verdict, confidence and severity from the ledger.
func (a *Analyzer) judge(s *subject) {
	r := s.report
	r.Verdict = classOf(r.Score)
	if s.has("L1") && !s.has("R4", "R6", "R8", "R9") {
		r.Verdict = report.Test
	}
	r.Confidence = s.confidence()
	r.Severity = s.severity()
}

func classOf(score int) report.Verdict {
	switch {
	case score >= maliciousFrom:
		return report.MaliciousLikely
	case score >= suspiciousFrom:
		return report.Suspicious
	default:
		return report.BenignLikely
	}
}

// confidence of a test rests on parent and image agreeing with it (on a host there is no image);
// of anything else, on how much of what matters the alert holds.
func (s *subject) confidence() report.Confidence {
	if s.report.Verdict == report.Test {
		if s.has("L2") && (s.has("L3") || s.OnHost()) {
			return report.HighConfidence
		}
		return report.MediumConfidence
	}
	known := 0
	for _, yes := range [...]bool{
		s.ExePath != "", s.Parent != "" || s.ParentPath != "", s.Cmdline != "",
		s.ContainerID != "", s.Flags != "" || s.FromMemfd != "",
	} {
		if yes {
			known++
		}
	}
	switch {
	case known >= 4:
		return report.HighConfidence
	case known >= 2:
		return report.MediumConfidence
	default:
		return report.LowConfidence
	}
}

// severity follows the score. A test is information only if its image, or an operator's entry,
// agrees: its arguments can be copied.
func (s *subject) severity() report.Severity {
	if s.report.Verdict == report.Test {
		if s.has("L3", "L6") {
			return report.Info
		}
		return report.Medium
	}
	switch score := s.report.Score; {
	case score >= criticalFrom:
		return report.Critical
	case score >= highFrom:
		return report.High
	case score >= suspiciousFrom:
		return report.Medium
	default:
		return report.Low
	}
}

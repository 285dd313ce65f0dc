package report

// Words is how a report of the kind is called, such as "Alert Summary Report".
func (k Kind) Words() string {
	switch k {
	case KindAlert:
		return "Alert Analysis Report"
	case KindUpdate:
		return "Alert Analysis Update"
	case KindSummary:
		return "Alert Summary Report"
	case KindSuppression:
		return "Suppression Notice"
	case KindLoss:
		return "Loss Notice"
	case KindQuiet:
		return "Silent Source Notice"
	case KindTest:
		return "Test Message"
	default:
		return "Report"
	}
}

// Words puts a verdict into a sentence, as far as the confidence in it allows.
func (v Verdict) Words(c Confidence) string {
	switch v {
	case Test:
		if c == HighConfidence {
			return "Probably a test of the sensor. Its owner should confirm it."
		}
		return "Perhaps a test of the sensor. Not confirmed."
	case BenignLikely:
		return "Probably harmless."
	case Suspicious:
		return "Suspicious."
	case MaliciousLikely:
		return "Probably malicious."
	default:
		return string(v)
	}
}

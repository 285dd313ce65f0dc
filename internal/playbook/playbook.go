package playbook

import "github.com/filelessd/filelessd/pkg/report"

// Expand returns r with its actions and mitigations. It does not change r, and returns it as it is
// if there is no alert to act on.
func Expand(r *report.Report) *report.Report {
	if r.Event == nil || r.Kind != report.KindAlert {
		return r
	}
	t := targetOf(r)
	full := *r
	full.Actions = actions(t)
	full.Mitigations = mitigations(t)
	return &full
}

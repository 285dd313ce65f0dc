package convert

import (
	"slices"
	"strings"
)

// Table is the table of all outputs in Markdown: what each becomes.
func Table() string {
	var b strings.Builder
	b.WriteString("| Falcosidekick's output | becomes | what changes | stays with Falcosidekick for |\n| --- | --- | --- | --- |\n")
	var stay, count []string
	for _, o := range sortedOutputs() {
		switch {
		case o.metrics:
			count = append(count, o.name+" (`"+o.path+"`)")
		case o.make == nil:
			stay = append(stay, o.name+" (`"+o.path+"`)")
		default:
			b.WriteString("| " + o.name + " (`" + o.path + "`) | `" + o.kind + "` | " + o.changes + " | " + o.unless + " |\n")
		}
	}
	b.WriteString("| " + strings.Join(stay, ", ") + " | `falcosidekick` | a second Falcosidekick gets the report as an alert, with the priority of its severity | all |\n")
	b.WriteString("| " + strings.Join(count, ", ") + " | nothing | these count alerts; filelessd's metrics are at `/metrics` | |\n")
	return b.String()
}

// sortedOutputs are all outputs by name.
func sortedOutputs() []output {
	all := slices.DeleteFunc(outputs(), func(o output) bool { return o.group })
	slices.SortFunc(all, func(a, b output) int { return strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name)) })
	return all
}

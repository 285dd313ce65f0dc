package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

func title(r *report.Report) []block {
	if strings.Trim(r.Title, " ") == "" {
		return []block{heading{level: 1, text: line{words(r.Kind.Words())}}}
	}
	return []block{heading{level: 1, kind: r.Kind.Words(), text: line{words(r.Title)}}}
}

// facts is the table that a reader in a hurry sees: the verdict first.
func facts(r *report.Report) []block {
	var t table
	if r.Verdict != "" {
		t.fact("Verdict", cell{{loud(verdict(r))}})
		t.fact("Class", cell{append(data(string(r.Verdict)), words(", "+string(r.Confidence)+" confidence"))})
	}
	t.fact("Severity", text(string(r.Severity)))
	if len(r.Factors) > 0 {
		t.fact("Score", text(fmt.Sprintf("%d of 100 (%s)", r.Score, limits)))
	}
	if len(r.Actions) > 0 {
		t.fact("Do first", cell{stepTitle(0, r.Actions[0])})
	}
	t.fact("When", when(r))
	if e := r.Event; e != nil {
		t.fact("Where", orUnknown(where(e)))
		t.fact("Who", orUnknown(known(e, "user.name", "user.uid", "user.loginname", "proc.pname", "proc.pexepath")))
		t.fact("What", orUnknown(known(e, "proc.cmdline", "proc.exepath", "proc.pid")))
		t.fact("Rule, priority", rule(e))
	}
	if r.Technique != "" {
		t.fact("Technique", techniques(r))
	}
	if r.Kind == report.KindAlert {
		t.fact("Alert ID", cell{data(r.ID)})
	} else {
		t.fact("About", listed(r.About))
		t.fact("Report ID", cell{data(r.ID)})
	}
	return t.facts()
}

func orUnknown(c cell) cell {
	if len(c) == 0 {
		return text("not in the alert")
	}
	return c
}

// when is the time of the event; the timeline has that of its receipt.
func when(r *report.Report) cell {
	switch {
	case r.Event != nil && r.Event.Time.IsZero():
		return text("time of the event not in the alert")
	case r.Event != nil:
		return text(instant(r.Event.Time))
	case !r.CreatedAt.IsZero():
		return text("written " + instant(r.CreatedAt))
	default:
		return nil
	}
}

// where names the host, and what of containers the alert tells. On a host Falco's container fields
// all say "host".
func where(e *event.Event) cell {
	if id, _ := e.Field("container.id"); id == "host" {
		return known(e, "hostname", "container.id")
	}
	return known(e, "hostname", "k8s.ns.name", "k8s.pod.name", "container.name", "container.id",
		"container.image.repository", "container.image.tag")
}

func rule(e *event.Event) cell {
	c := cell{data(e.Rule)}
	if e.Priority != event.PriorityUnknown {
		c = append(c, line{words(e.Priority.String() + " (set by the rule, says nothing of this event)")})
	}
	return c
}

func techniques(r *report.Report) cell {
	c := cell{data(string(r.Technique))}
	for _, also := range r.Also {
		c = append(c, append(line{words("also ")}, data(string(also))...))
	}
	for _, a := range r.Attack {
		c = append(c, line{words("MITRE ATT&CK " + a.ID + " " + a.Name + " (" + strings.Join(tactics(a), ", ") + ")")})
	}
	return c
}

// tactics has an entry for each version of ATT&CK, since the names of tactics changed between them,
// and one for all versions that agree.
func tactics(a report.Attack) []string {
	var versions, entries, same []string
	names := map[string][]string{}
	for _, t := range a.Tactics {
		if !slices.Contains(versions, t.Version) {
			versions = append(versions, t.Version)
		}
		names[t.Version] = append(names[t.Version], t.Name)
	}
	for i, v := range versions {
		same = append(same, v)
		if i+1 < len(versions) && slices.Equal(names[v], names[versions[i+1]]) {
			continue
		}
		entries = append(entries, listing(names[v])+" in "+listing(same))
		same = nil
	}
	return entries
}

// listing joins names with commas, the last with "and".
func listing(names []string) string {
	n := len(names) - 1
	if n < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:n], ", ") + " and " + names[n]
}

func summary(r *report.Report) []block {
	if strings.Trim(r.Summary, " ") == "" {
		return nil
	}
	return []block{paragraph{line{words(r.Summary)}}}
}

func group(r *report.Report) []block {
	g := r.Group
	if g == nil {
		return nil
	}
	var t table
	if g.Key != "" { // what a sink was not told of comes of many groups
		t.fact("Key", cell{data(g.Key)})
	}
	t.fact("Alerts", text(fmt.Sprint(g.Count)))
	if !g.FirstTime.IsZero() {
		t.fact("First", text(instant(g.FirstTime)))
	}
	if !g.LastTime.IsZero() {
		t.fact("Last", text(instant(g.LastTime)))
	}
	t.fact("Rules", listed(g.Rules))
	t.fact("Hosts", listed(g.Hosts))
	t.fact("Containers", listed(g.Containers))
	return t.facts()
}

func findings(r *report.Report) []block {
	if len(r.Findings) == 0 {
		return nil
	}
	t := table{columns: []column{{title: "Finding"}, {title: "Field = value"}}}
	for _, f := range r.Findings {
		t.rows = append(t.rows, []cell{text(f.Statement), evidence(r.Event, f.Evidence)})
	}
	return []block{t}
}

package server

import (
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
	reportsv1 "github.com/filelessd/filelessd/proto/reports/v1"
)

// Message returns r as other processes see it. It says the same as r's JSON form.
func Message(r *report.Report) *reportsv1.Report {
	m := &reportsv1.Report{
		Id: text(r.ID), Kind: text(r.Kind), SchemaVersion: text(r.SchemaVersion), CreatedAt: instant(r.CreatedAt),
		Title: text(r.Title), Summary: text(r.Summary),
		Verdict: text(r.Verdict), Severity: text(r.Severity), Confidence: text(r.Confidence), Score: int32(r.Score),
		Also: texts(r.Also), Attack: each(r.Attack, attack), Factors: each(r.Factors, factor),
		Findings: each(r.Findings, finding), Explanations: each(r.Explanations, explanation),
		Unknowns: each(r.Unknowns, unknown), Actions: each(r.Actions, action), Mitigations: each(r.Mitigations, mitigation),
		Group: group(r.Group), About: texts(r.About), Event: eventMessage(r.Event),
		Analysis: &reportsv1.Analysis{Version: text(r.Analysis.Version), Knowledge: text(r.Analysis.Knowledge)},
	}
	if r.Technique != "" {
		technique := text(r.Technique)
		m.Technique = &technique
	}
	return m
}

// text returns s with each byte that is not UTF-8 replaced, as in JSON: protobuf refuses such a byte.
func text[S ~string](s S) string {
	if utf8.ValidString(string(s)) {
		return string(s)
	}
	return string([]rune(string(s)))
}

// instant leaves out a time that is not known.
func instant(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func texts[S ~string](list []S) []string { return each(list, func(s *S) string { return text(*s) }) }

func each[From, To any](list []From, convert func(*From) To) []To {
	if len(list) == 0 {
		return nil
	}
	all := make([]To, len(list))
	for i := range list {
		all[i] = convert(&list[i])
	}
	return all
}

func attack(a *report.Attack) *reportsv1.Attack {
	return &reportsv1.Attack{Id: text(a.ID), Name: text(a.Name), Tactics: each(a.Tactics, func(t *report.Tactic) *reportsv1.Tactic {
		return &reportsv1.Tactic{Id: text(t.ID), Name: text(t.Name), Version: text(t.Version)}
	})}
}

func factor(f *report.Factor) *reportsv1.Factor {
	return &reportsv1.Factor{Id: text(f.ID), Weight: int32(f.Weight), Reason: text(f.Reason), Evidence: texts(f.Evidence)}
}

func finding(f *report.Finding) *reportsv1.Finding {
	return &reportsv1.Finding{Id: text(f.ID), Statement: text(f.Statement), Evidence: texts(f.Evidence)}
}

func explanation(e *report.Explanation) *reportsv1.Explanation {
	return &reportsv1.Explanation{
		Id: text(e.ID), Statement: text(e.Statement), For: texts(e.For), Against: texts(e.Against), SettledBy: text(e.SettledBy),
	}
}

func unknown(u *report.Unknown) *reportsv1.Unknown {
	return &reportsv1.Unknown{Id: text(u.ID), Field: text(u.Field), Why: text(u.Why), How: text(u.How)}
}

func action(a *report.Action) *reportsv1.Action {
	return &reportsv1.Action{
		Id: text(a.ID), Title: text(a.Title), Commands: texts(a.Commands), Needs: text(a.Needs), Risk: text(a.Risk),
		Changes: text(a.Changes), Undo: text(a.Undo), Why: text(a.Why),
		Results: each(a.Results, func(r *report.Result) *reportsv1.Result {
			return &reportsv1.Result{If: text(r.If), Then: text(r.Then)}
		}),
	}
}

func mitigation(m *report.Mitigation) *reportsv1.Mitigation {
	return &reportsv1.Mitigation{
		Id: text(m.ID), Title: text(m.Title), Why: text(m.Why), Effect: text(m.Effect), SideEffects: text(m.SideEffects),
		DryRun: text(m.DryRun), Rollback: text(m.Rollback),
		Files: each(m.Files, func(f *report.File) *reportsv1.File {
			return &reportsv1.File{Path: text(f.Path), MediaType: text(f.MediaType), Content: text(f.Content)}
		}),
	}
}

func group(g *report.Group) *reportsv1.Group {
	if g == nil {
		return nil
	}
	return &reportsv1.Group{
		Key: text(g.Key), Count: int64(g.Count), Rules: texts(g.Rules), FirstTime: instant(g.FirstTime),
		LastTime: instant(g.LastTime), Hosts: texts(g.Hosts), Containers: texts(g.Containers),
	}
}

func eventMessage(e *event.Event) *reportsv1.Event {
	if e == nil {
		return nil
	}
	m := &reportsv1.Event{
		Rule: text(e.Rule), Priority: e.Priority.String(), Time: instant(e.Time), Hostname: text(e.Hostname), Source: text(e.Source),
		Tags: texts(e.Tags), Output: text(e.Output),
		OutputFields: map[string]string{}, InvalidUtf8: map[string][]byte{},
	}
	exact := func(name, value string) {
		if !utf8.ValidString(value) {
			m.InvalidUtf8[name] = []byte(value)
		}
	}
	exact("rule", e.Rule)
	exact("hostname", e.Hostname)
	exact("source", e.Source)
	exact("output", e.Output)
	for name, value := range e.Fields() {
		m.OutputFields[name] = text(value)
		exact("output_fields."+name, value)
	}
	return m
}

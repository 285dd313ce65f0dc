package render

import (
	"fmt"
	"strings"

	"github.com/filelessd/filelessd/pkg/report"
)

// actions are steps, in their order: what to run, what it needs, and what it changes.
func actions(r *report.Report) []block {
	var blocks []block
	for i, a := range r.Actions {
		var t table
		t.fact("Why", text(a.Why))
		t.fact("Needs", text(a.Needs))
		t.fact("Risk", text(a.Risk))
		t.fact("Changes", text(a.Changes))
		t.fact("Undo", text(a.Undo))
		blocks = append(blocks, heading{3, line{words(fmt.Sprintf("Step %d: ", i+1)), words(a.Title)}})
		blocks = append(blocks, t.facts()...)
		blocks = append(blocks, commands(a.Commands)...)
	}
	return blocks
}

func commands(all []string) []block {
	if len(all) == 0 {
		return nil
	}
	return []block{verbatim{language: "sh", lines: textLines(strings.Join(all, "\n"))}}
}

func mitigations(r *report.Report) []block {
	var blocks []block
	for i, m := range r.Mitigations {
		var t table
		t.fact("Why", text(m.Why))
		t.fact("Effect", text(m.Effect))
		t.fact("Side effects", text(m.SideEffects))
		t.fact("Try first", text(m.DryRun))
		t.fact("Undo", text(m.Rollback))
		blocks = append(blocks, heading{3, line{words(fmt.Sprintf("%d. ", i+1)), words(m.Title)}})
		blocks = append(blocks, t.facts()...)
	}
	return blocks
}

// files are those of all mitigations: each can be copied as it stands.
func files(r *report.Report) []block {
	var blocks []block
	for _, m := range r.Mitigations {
		for _, f := range m.Files {
			blocks = append(blocks,
				heading{3, append(line{words("File ")}, data(f.Path)...)},
				paragraph{line{words("For: "), words(m.Title)}},
				verbatim{language: language(f.MediaType), lines: textLines(f.Content)})
		}
	}
	return blocks
}

// language is the name by which highlighters know a media type.
func language(mediaType string) string {
	base, _, _ := strings.Cut(mediaType, ";")
	switch strings.TrimSpace(base) {
	case "application/json":
		return "json"
	case "application/yaml", "application/x-yaml", "text/yaml":
		return "yaml"
	case "application/x-sh", "text/x-shellscript":
		return "sh"
	case "text/x-ini":
		return "ini"
	default:
		return "text"
	}
}

// textLines are the lines of a text of ours, such as a file: visible, but with their tabs.
func textLines(s string) []string {
	all := strings.Split(strings.TrimRight(s, "\n"), "\n")
	for i, l := range all {
		parts := strings.Split(l, "\t")
		for j, p := range parts {
			parts[j] = report.Visible(p)
		}
		all[i] = strings.Join(parts, "\t")
	}
	return all
}

package render

import (
	"fmt"
	"strings"

	"github.com/filelessd/filelessd/pkg/report"
)

// actions are steps, in their order: why, what to run, what its results mean, what it takes.
func actions(r *report.Report) []block {
	var blocks []block
	for i, a := range r.Actions {
		var t terms
		t.add("Needs", text(a.Needs))
		t.add("Risk", text(a.Risk))
		t.add("Changes", text(a.Changes))
		t.add("Undo", text(a.Undo))
		blocks = append(blocks, heading{level: 4, text: stepTitle(i, a)})
		blocks = append(blocks, sentence(a.Why)...)
		blocks = append(blocks, commands(a.Commands)...)
		blocks = append(blocks, results(a.Results)...)
		blocks = append(blocks, t.block()...)
	}
	return blocks
}

// stepTitle names the step with the index i.
func stepTitle(i int, a report.Action) line {
	return line{words(fmt.Sprintf("Step %d. ", i+1)), words(a.Title)}
}

// sentence is a paragraph, nothing for an empty string.
func sentence(s string) []block {
	if strings.Trim(s, " ") == "" {
		return nil
	}
	return []block{paragraph{line{words(s)}}}
}

// commands stand each for itself, so that each can be copied alone.
func commands(all []string) []block {
	var blocks []block
	for _, c := range all {
		blocks = append(blocks, verbatim{language: "sh", lines: textLines(c)})
	}
	return blocks
}

func results(all []report.Result) []block {
	if len(all) == 0 {
		return nil
	}
	t := table{columns: []column{{title: "If"}, {title: "Then"}}}
	for _, r := range all {
		t.rows = append(t.rows, []cell{text(r.If), text(r.Then)})
	}
	return []block{t}
}

// noEffect is the ID of the entry that says what does not help.
const noEffect = "no_effect"

func mitigations(r *report.Report) []block {
	var blocks, last []block
	n := 0
	for _, m := range r.Mitigations {
		if m.ID == noEffect {
			last = append(last, paragraph{line{loud("What does not help here."), words(" " + m.Why)}})
			last = append(last, sentence(m.Effect)...)
			continue
		}
		n++
		var t terms
		t.add("Effect", text(m.Effect))
		t.add("Side effects", text(m.SideEffects))
		t.add("Try first", text(m.DryRun))
		t.add("Undo", text(m.Rollback))
		t.add("Files", paths(m.Files))
		blocks = append(blocks, heading{level: 3, text: line{words(fmt.Sprintf("%d. ", n)), words(m.Title)}})
		blocks = append(blocks, sentence(m.Why)...)
		blocks = append(blocks, t.block()...)
	}
	return append(blocks, last...)
}

func paths(files []report.File) cell {
	var c cell
	for _, f := range files {
		c = append(c, label(f.Path))
	}
	return c
}

// files are those of all mitigations: each can be copied as it stands.
func files(r *report.Report) []block {
	var blocks []block
	for _, m := range r.Mitigations {
		for _, f := range m.Files {
			blocks = append(blocks, fold{
				head: heading{level: 3, text: append(line{words("File ")}, label(f.Path)...)},
				body: []block{
					paragraph{line{words("For: "), words(m.Title)}},
					verbatim{language: language(f.MediaType), lines: textLines(f.Content)},
				},
				file: true,
			})
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
		if strings.IndexByte(l, '\t') < 0 {
			all[i] = report.Visible(l)
			continue
		}
		parts := strings.Split(l, "\t")
		for j, p := range parts {
			parts[j] = report.Visible(p)
		}
		all[i] = strings.Join(parts, "\t")
	}
	return all
}

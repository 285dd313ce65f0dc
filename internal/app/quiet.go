package app

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/source"
	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
)

// kindQuiet is the kind of state that says since when a source is quiet, under the reason. It keeps a
// restart of filelessd from telling the same again, and lets it tell of the end.
const kindQuiet = "quiet"

// watchSource makes the watch of one source, which knows what the last run told.
func (a *App) watchSource(ctx context.Context, c config.Source, s source.Source) (*source.Watch, error) {
	var rules source.QuietRules
	switch {
	case c.GRPC != nil:
		rules = c.GRPC.Quiet.Rules()
	case c.HTTP != nil:
		rules = c.HTTP.Quiet.Rules()
	case c.File != nil:
		rules = c.File.Quiet.Rules()
	}
	w := source.NewWatch(s, rules, func(ctx context.Context, q source.Absence) error {
		err := a.tellQuiet(ctx, c.Name, c.Type, q)
		if err != nil {
			a.log.Error().Err(err).Str("source", c.Name).Msg("that the source is quiet could not be reported; trying again")
		}
		return err
	})
	state, err := a.store.LoadState(ctx, ownerOf(c.Name))
	if err != nil {
		return nil, err
	}
	for _, change := range state {
		var since time.Time
		if change.Kind == kindQuiet && json.Unmarshal(change.Body, &since) == nil {
			w.Resume(change.Key, since)
		}
	}
	return w, nil
}

// ownerOf names the owner of what the log keeps for a source.
func ownerOf(source string) string { return "source " + source }

// tellQuiet makes reports of what a watch noticed.
func (a *App) tellQuiet(ctx context.Context, name, kind string, q source.Absence) error {
	id := subjectID(report.KindQuiet, "source "+name+" "+q.Reason, fmt.Sprint(q.Since.UnixNano()))
	r := &report.Report{
		ID: id, Kind: report.KindQuiet, SchemaVersion: report.SchemaVersion, CreatedAt: time.Now().UTC(),
		Severity: report.High, About: []string{"source " + name}, Analysis: report.Analysis{Version: a.options.Version},
	}
	over := q.Reason != source.Restarted && !q.Until.IsZero()
	switch {
	case over:
		r.Kind, r.ID, r.About = report.KindUpdate, subjectID(report.KindUpdate, id, "over"), []string{id}
		sayOver(r, name, q)
	case q.Reason == source.Restarted:
		sayRestarted(r, name, q)
	default:
		sayQuiet(r, name, kind, q)
	}
	change := store.Change{Kind: kindQuiet, Key: q.Reason}
	if !over && q.Reason != source.Restarted {
		var err error
		if change.Body, err = json.Marshal(q.Since); err != nil {
			return err
		}
		// Before the report: after a crash between the two it is made again, with the same ID.
		if err := a.store.SaveState(ctx, ownerOf(name), change); err != nil {
			return err
		}
	}
	body, err := report.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := a.store.Append(ctx, store.Record{ID: r.ID, Body: body, Value: r}); err != nil {
		return err
	}
	a.log.Warn().Str("source", name).Str("reason", q.Reason).Time("since", q.Since).Bool("over", over).Str("id", r.ID).Msg("a Falco was quiet")
	if !over {
		return nil
	}
	return a.store.SaveState(ctx, ownerOf(name), change)
}

// Times in these reports are to the second: a look is taken once in one.
func second(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// said is what the other side, or the network, had to say; all of it may be anybody's text.
func said(text string) string {
	text = report.Visible(text)
	if runes := []rune(text); len(runes) > 300 {
		text = string(runes[:297]) + "..."
	}
	return text
}

func sayQuiet(r *report.Report, name, kind string, q source.Absence) {
	since := second(q.Since)
	if q.Reason == source.Silent {
		r.Title = fmt.Sprintf("Nothing comes from Falco since %s (source %s)", since, name)
		r.Summary = fmt.Sprintf("Source %s (%s) got nothing since %s, not even a message of Falco's about itself, for as long as its "+
			"quiet.after allows. Until something comes, nobody can say that fileless execution there would be seen.", name, kind, since)
	} else {
		r.Title = fmt.Sprintf("Falco does not answer since %s (source %s)", since, name)
		r.Summary = fmt.Sprintf("Source %s (%s) gets no answer from Falco since %s. Until it does, fileless execution there is not seen.",
			name, kind, since)
	}
	if q.Status.LastError != "" {
		r.Summary += " What was met last: " + said(q.Status.LastError) + "."
	}
	if !q.Status.LastAlert.IsZero() {
		r.Summary += " The last alert came at " + second(q.Status.LastAlert) + "."
	}
	r.Explanations = causes()
}

func sayRestarted(r *report.Report, name string, q source.Absence) {
	at := second(q.Since)
	r.Title = fmt.Sprintf("Falco was restarted at %s (source %s)", at, name)
	r.Summary = fmt.Sprintf("Falco behind source %s is another process than before, since %s. ", name, at)
	if q.Times > 1 {
		r.Title = fmt.Sprintf("Falco was restarted %d times until %s (source %s)", q.Times, second(q.Until), name)
		r.Summary = fmt.Sprintf("Falco behind source %s became another process %d times between %s and %s. ", name, q.Times, at, second(q.Until))
	}
	if len(q.Hosts) > 0 {
		r.Summary += "Its own metrics say so, on " + said(strings.Join(q.Hosts, ", ")) + ". "
	}
	r.Summary += "Alerts that waited in the Falco that ended are lost, and what was executed before the new one had started was not seen."
	r.Explanations = causes()
}

func sayOver(r *report.Report, name string, q source.Absence) {
	what := "Falco answers again"
	if q.Reason == source.Silent {
		what = "Something comes from Falco again"
	}
	took := q.Until.Sub(q.Since).Round(time.Second)
	r.Title = fmt.Sprintf("%s after %s (source %s)", what, took, name)
	r.Summary = fmt.Sprintf("%s since %s; source %s was without it from %s on. What was executed in that time may not have been seen.",
		what, second(q.Until), name, second(q.Since))
	if q.Status.Peer != "" && q.Reason == source.Unreachable {
		r.Summary += " It is " + said(q.Status.Peer) + "."
	}
}

// causes are possible ones, the usual first. None is a claim: from here they look the same.
func causes() []report.Explanation {
	const log = "Falco's log around that time (journalctl -u falco; kubectl logs --previous), and who acted then"
	return []report.Explanation{
		{
			ID: "falco_maintained", SettledBy: log,
			Statement: "Falco, its host, or the network between was stopped, restarted or upgraded on purpose",
		}, {
			ID: "falco_failed", SettledBy: log + "; the kernel's log for an out-of-memory kill",
			Statement: "Falco failed: it crashed, ran out of memory, or its driver did not load",
		}, {
			ID: "falco_switched_off", SettledBy: log + "; type_error.316 (invalid UTF-8 byte) in it names this way",
			Statement: "somebody switched Falco off: who is root can end it; and Falco 0.43 with json_output: true exits at an alert " +
				"whose text is not UTF-8, which any user can bring about with the name of a memory file",
		},
	}
}

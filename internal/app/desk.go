package app

import (
	"context"

	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/playbook"
	"github.com/filelessd/filelessd/internal/server"
	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
)

// desk answers what needs nothing but the log: for a running daemon, and where none runs.
type desk struct {
	log  *store.Log
	base *knowledge.Base
	live *App // nil where no daemon runs
}

func (a *App) desk() *desk { return &desk{log: a.store, base: a.intake.base, live: a} }

// calls are those that need no running daemon.
func (d *desk) calls() map[string]server.Call {
	return map[string]server.Call{
		CommandDeadList:     server.Answer(d.listDead),
		CommandDeadShow:     server.Answer(d.showDead),
		CommandExplain:      server.Answer(d.explain),
		CommandStoreExport:  server.Answer(d.export),
		CommandStoreCheck:   server.Answer(d.check),
		CommandStoreCompact: server.Answer(d.compact),
	}
}

// eachState calls f with what a cursor keeps of one kind, a part at a time.
func (d *desk) eachState(ctx context.Context, cursor, kind string, f func(store.Change) error) error {
	const page = 64
	for from := ""; ; {
		some, err := d.log.CursorState(ctx, cursor, kind, from, page)
		if err != nil {
			return err
		}
		for _, c := range some {
			if err := f(c); err != nil {
				return err
			}
		}
		if len(some) < page {
			return nil
		}
		from = some[page-1].Key + "\x00"
	}
}

// expand puts back what intake left out of the log, and adds what to do.
func (d *desk) expand(r *report.Report) *report.Report {
	return playbook.Expand(d.base.Complete(r))
}

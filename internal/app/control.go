package app

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"

	"github.com/filelessd/filelessd/internal/server"
)

// Commands that the control socket answers.
const (
	CommandStatus        = "status"
	CommandReload        = "reload"
	CommandStoreExport   = "store/export"
	CommandStoreCheck    = "store/check"
	CommandStoreCompact  = "store/compact"
	CommandSilenceAdd    = "silence/add"
	CommandSilenceList   = "silence/list"
	CommandSilenceExpire = "silence/expire"
	CommandExplain       = "explain"
	CommandDeadList      = "deadletters/list"
	CommandDeadShow      = "deadletters/show"
	CommandDeadRetry     = "deadletters/retry"
	CommandDeadDrop      = "deadletters/drop"
)

// Nothing is the request of a command that needs none.
type Nothing struct{}

func (a *App) openControl(ctx context.Context) error {
	calls := a.desk().calls()
	calls[CommandStatus] = server.Answer(func(ctx context.Context, _ Nothing) (any, error) { return a.status(ctx), nil })
	calls[CommandReload] = server.Answer(func(ctx context.Context, _ Nothing) (Reloaded, error) { return a.Reload(ctx, "filelessd reload") })
	calls[CommandDeadRetry] = server.Answer(a.retryDead)
	calls[CommandDeadDrop] = server.Answer(a.dropDead)
	maps.Copy(calls, silenceCalls(a.silences))
	c, err := server.OpenControl(ctx, filepath.Join(a.config.DataDir, server.ControlName), a.options.Version, calls, a.log)
	if err != nil {
		return err
	}
	a.control = c
	a.onStop("the control socket", ignoreClosed(c.Close))
	return nil
}

// workersFor returns the worker of that sink, or all of them for no name.
func (a *App) workersFor(sink string) ([]*worker, error) {
	if sink == "" {
		return a.workers.all(), nil
	}
	w := a.workers.of(sink)
	if w == nil {
		return nil, server.Wrong(fmt.Errorf("no sink %q in the configuration of the daemon", sink))
	}
	return []*worker{w}, nil
}

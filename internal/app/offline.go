package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/server"
	"github.com/filelessd/filelessd/internal/store"
)

// Offline answers commands that need nothing but the log, from the log of a daemon that does not run. It
// holds the log's lock as a daemon would.
type Offline struct {
	log   *store.Log
	calls map[string]server.Call
}

// AnswersOffline reports whether a command needs no daemon.
func AnswersOffline(command string) bool {
	_, ok := new(desk).calls()[command]
	return ok
}

var errUntold = errors.New("only a daemon can tell of it")

// OpenOffline opens the log in dir, which must be there.
func OpenOffline(ctx context.Context, dir string) (*Offline, error) {
	if _, err := os.Stat(filepath.Join(dir, "filelessd.db")); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no log in %s", dir)
		}
		return nil, err
	}
	base, err := knowledge.Load()
	if err != nil {
		return nil, err
	}
	// Nothing is to be removed, whatever the limits are in the configuration, which need not be known
	// here; a loss that was not told stays so for the daemon, and so does a file to be rebuilt.
	keepAll := store.Config{Retention: 100 * 365 * 24 * time.Hour, MaxBytes: 1 << 50, OnFull: "refuse"}
	log, err := store.Open(ctx, dir, keepAll, store.NoRebuild(), store.MaintainEvery(24*time.Hour),
		store.OnLoss(func(store.Loss) error { return errUntold }))
	if errors.Is(err, store.ErrDamaged) {
		return nil, fmt.Errorf("%w: the daemon rebuilds it when it starts, from all that can be read in it", err)
	} else if err != nil {
		return nil, err
	}
	return &Offline{log, (&desk{log: log, base: base}).calls()}, nil
}

// Ask answers one command, in JSON as its request.
func (o *Offline) Ask(ctx context.Context, command string, request []byte) ([]byte, error) {
	call, ok := o.calls[command]
	if !ok {
		return nil, fmt.Errorf("%s needs the running daemon", command)
	}
	answer, err := call(ctx, request)
	if err != nil {
		return nil, err
	}
	return server.Encode(answer)
}

// Close gives the log back.
func (o *Offline) Close() error { return o.log.Close() }

// Filelessd takes Falco's alerts, finds fileless execution, and delivers an analysis report of each.
package main

import (
	"os"

	"github.com/filelessd/filelessd/pkg/daemon"
)

func main() {
	ctx, stop := daemon.Signals()
	defer stop()
	os.Exit(daemon.Main(ctx, os.Args[1:], daemon.OS(), daemon.Builtin()))
}

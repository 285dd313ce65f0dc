package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/filelessd/filelessd/internal/bench/rig"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options is what the command line says.
type options struct {
	bench
	quick, grouping bool
	backlog         int
	rows            string
	own             scenario // one row of the user's own, if n is set
	signal          string
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.binary, "binary", "", "filelessd; without it, it is built")
	f.StringVar(&o.url, "url", "", "post to this receiver of http_output instead of to filelessd")
	f.StringVar(&o.receive, "receive", "127.0.0.1:2902", "where the webhook of -url points")
	f.StringVar(&o.exec, "exec", "", "start -url's program by this command, for each row; words are split at spaces")
	f.IntVar(&o.pid, "pid", 0, "watch this process of -url instead")
	f.DurationVar(&o.patience, "patience", 45*time.Second, "how long nothing may arrive before the rest counts as lost")
	f.BoolVar(&o.quick, "quick", false, "small rows, to see that they work")
	f.BoolVar(&o.grouping, "grouping", false, "rows with grouping on too")
	f.IntVar(&o.backlog, "backlog", 100_000, "alerts of the row backlog")
	f.StringVar(&o.rows, "run", "", "only rows whose name matches this expression")
	f.IntVar(&o.own.n, "n", 0, "one row of your own, with so many alerts")
	f.IntVar(&o.own.posters, "posters", 16, "of a row of your own")
	f.IntVar(&o.own.rate, "rate", 0, "of a row of your own: alerts a second; 0 for as many as go")
	shape := f.String("shape", string(rig.Distinct), "of a row of your own: distinct, alike or hosts")
	f.StringVar(&o.own.script, "script", "", `of a row of your own: how the webhook behaves, such as "ok@5s down@10s ok"`)
	f.StringVar(&o.signal, "kill", "", "of a row of your own: TERM or KILL")
	f.IntVar(&o.own.killAt, "kill-at", 0, "of a row of your own: after so many accepted alerts")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	o.own.name, o.own.shape, o.own.grouping = "own", rig.Shape(*shape), o.grouping
	return o, o.check()
}

func (o *options) check() error {
	if !o.own.shape.Valid() {
		return fmt.Errorf("-shape: want distinct, alike or hosts, got %q", o.own.shape)
	}
	if o.own.posters < 1 {
		return fmt.Errorf("-posters: want 1 or more, got %d", o.own.posters)
	}
	switch o.signal {
	case "":
	case "TERM":
		o.own.kill = syscall.SIGTERM
	case "KILL":
		o.own.kill = syscall.SIGKILL
	default:
		return fmt.Errorf("-kill: want TERM or KILL, got %q", o.signal)
	}
	script, err := rig.ParseScript(o.own.script)
	if err != nil {
		return fmt.Errorf("-script: %w", err)
	}
	// What the script begins with is what its faults are compared with.
	if len(script) > 0 && script[0] == (rig.Fault{For: script[0].For}) {
		o.own.clean = script[0].For
	}
	return nil
}

// scenarios are the rows to run.
func (o *options) scenarios(stderr io.Writer) ([]scenario, error) {
	if o.own.n > 0 {
		return []scenario{o.own}, nil
	}
	rows, err := chosen(table(o.quick, o.grouping, o.backlog), o.rows)
	if err != nil || o.url == "" {
		return rows, err
	}
	var some []scenario
	for _, s := range rows {
		switch {
		case s.backlog || s.grouping || s.reloads > 0:
			fmt.Fprintf(stderr, "%s: needs filelessd; left out\n", s.name)
		case s.kill != 0 && o.exec == "":
			fmt.Fprintf(stderr, "%s: needs -exec; left out\n", s.name)
		default:
			some = append(some, s)
		}
	}
	return some, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	rows, err := o.scenarios(stderr)
	if err != nil {
		return err
	}
	if o.binary == "" && o.url == "" {
		dir, err := os.MkdirTemp("", "filelessd-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if o.binary, err = build(ctx, dir); err != nil {
			return err
		}
	}
	missed := 0
	for _, s := range rows {
		r, err := o.run(ctx, s)
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		fmt.Fprintln(stdout, string(line))
		fmt.Fprintln(stderr, r)
		if strings.Contains(r.String(), "MISSED") {
			missed++
		}
	}
	fmt.Fprintf(stderr, "%d rows, %d with a bound that was missed\n", len(rows), missed)
	return nil
}

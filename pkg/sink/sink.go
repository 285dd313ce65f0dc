// Package sink is what a destination of reports is written against.
//
// A sink knows only its destination: one method that sends one report, and a config struct. Which
// reports it gets, the queue before it, retries, time-outs, parking, dead letters, metrics and
// logging belong to the program, once for all sinks. A sink's part of the bargain is to say which
// class of error it met: see Permanent and RetryAfter.
//
// To add a kind of sink: declare a Kind, register it, and run sinktest.Run against it. A sink that
// speaks HTTP uses ParseURL, HTTPClient and Send, whose errors have the right class and show no
// secret.
package sink

import (
	"context"
	"io"

	"github.com/filelessd/filelessd/pkg/report"
)

// A Sink delivers reports to one destination.
type Sink interface {
	// Deliver returns nil once the destination holds r. It must honour ctx, may be called from
	// several goroutines, and must neither keep nor change r. It neither retries nor logs.
	//
	// An error has a class (see Permanent, RetryAfter; an error without a mark is passing) and
	// shows no secret. The same report can come again: after an error, and after a crash even if
	// it was delivered.
	Deliver(ctx context.Context, r *report.Report) error
	// Close gives back what the sink holds. It is called after the last Deliver has returned; a
	// second call does nothing and returns nil.
	Close() error
}

// BatchSink is a Sink that can deliver several reports at once, which is used where its policy says
// batch. Deliver is still called for single ones.
type BatchSink interface {
	// DeliverBatch is Deliver for several reports, each of another alert. It returns an error for
	// each, in their order: nil for those that the destination holds. A result of another length
	// counts as a failure of them all. Where the destination refuses all of them for good and does not
	// say which is at fault, that is the error of each; they are then delivered one by one.
	DeliverBatch(ctx context.Context, rs []*report.Report) []error
}

// Prober is a Sink that can say whether its destination is there, without sending a report.
type Prober interface {
	// Probe returns an error like Deliver's. Nil means that nothing speaks against a delivery, not
	// that the destination would take one.
	Probe(ctx context.Context) error
}

// Config is the configuration of a kind of sink, decoded from YAML by its yaml tags.
type Config interface {
	// Validate returns all that is wrong, joined, each problem beginning with the key it is about.
	Validate() error
}

// A Kind describes the sinks of one type.
type Kind[C Config] struct {
	Name    string   // what `type:` says
	Summary string   // one line for the list of kinds
	Default func() C // the configuration before the file is read
	// Open returns a sink for a configuration that Validate had nothing against. ctx bounds
	// opening, not the sink's life. Another machine that does not answer now is no reason to
	// fail: it may be back before the first report.
	Open func(ctx context.Context, config C, env Env) (Sink, error)
}

// Env is what a sink gets from the program that opens it.
type Env struct {
	// Name is the sink's name in the configuration, for messages.
	Name string
	// Version is the program's, for a User-Agent and the like; empty if it has none.
	Version string
	// Render writes r in one of Formats: json is the line that report.Marshal returns, ecs and ocsf are
	// such lines by the Elastic Common Schema and the Open Cybersecurity Schema Framework, cef is one of
	// the Common Event Format; html, markdown and text end with a newline. What came from an alert is escaped for its place.
	Render func(format string, r *report.Report) ([]byte, error)
	// Stdout is the program's standard output. Each Write is one whole report, and writes do not
	// mix: the writer locks.
	Stdout io.Writer
	// State is what the sink remembers across restarts; never nil. It is empty until the first Deliver.
	State State
}

// Package source brings Falco's alerts in: over the gRPC outputs API of Falco up to 0.43, over
// http_output of 0.44 and later, and from Falco's JSON file.
//
// A source acknowledges its transport only after the alerts are on disk. What can not be
// acknowledged (the gRPC queue is popped by being read) it takes in small steps, so that little is
// under way at any moment.
package source

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/filelessd/filelessd/internal/listen"
	"github.com/filelessd/filelessd/pkg/event"
)

// Handle takes a batch of alerts. It returns nil once every alert of the batch that matters is
// synced to disk; after an error the batch may be handed over again.
type Handle func(ctx context.Context, events []event.Event) error

// A Source receives alerts.
type Source interface {
	// Run receives until ctx ends, then finishes what is under way and returns nil. It calls handle
	// once a batch and acknowledges the transport, or saves its offset, only after handle returned
	// nil. An error means that the source can not go on at all; everything that may pass is
	// retried inside, for ever.
	Run(ctx context.Context, handle Handle) error
	// Status says how the source is doing. It may be called at any time.
	Status() Status
}

// Status is how a source is doing, for people and for /statusz.
type Status struct {
	State     string    `json:"state"` // "connecting", "connected", "listening", "following", "waiting"
	Since     time.Time `json:"since"` // when it came into that state
	LastAlert time.Time `json:"last_alert"`
	Peer      string    `json:"peer"`       // what it talks to: "Falco 0.43.1 (engine 0.58.0)"
	Process   int       `json:"process"`    // of that, over a unix socket; 0 for unknown
	LastError string    `json:"last_error"` // empty while all is well
}

// Env is what every source gets from the program.
type Env struct {
	Name string // of this source in the configuration, for messages
	Log  zerolog.Logger
	// Rejected counts alerts that could not be used, by one of Reasons.
	Rejected func(reason string)
	// Stamp returns the time of receipt for one alert: never the same twice.
	Stamp   func() time.Time
	Offsets Offsets
	// Ports is how the daemon opens its ports.
	Ports listen.Ports
}

// Offsets keeps how far a source has read, under a key of its own choice.
type Offsets interface {
	// LoadOffset returns nil if nothing was saved.
	LoadOffset(ctx context.Context, key string) ([]byte, error)
	SaveOffset(ctx context.Context, key string, offset []byte) error
}

// Reasons for which an alert, or a request, is rejected.
const (
	ReasonMalformed    = "malformed"    // not JSON, not an object, or no rule
	ReasonText         = "text"         // Falco's text output, which can be forged
	ReasonTooLarge     = "too_large"    // longer than 1 MiB
	ReasonUnauthorized = "unauthorized" // wrong or no token
	ReasonStore        = "store"        // the log could not take it in time
	ReasonIncomplete   = "incomplete"   // the sender did not finish its request in time
)

// Reasons lists all of them, so that each metric exists from the start.
func Reasons() []string {
	return []string{
		ReasonMalformed, ReasonText, ReasonTooLarge, ReasonUnauthorized, ReasonStore, ReasonIncomplete,
	}
}

// maxAlert is the longest alert that is taken, in bytes.
const maxAlert = 1 << 20

// NewStamp returns a clock for Env.Stamp: the time, but always later than before.
func NewStamp() func() time.Time {
	var last atomic.Int64
	return func() time.Time {
		for {
			before, now := last.Load(), time.Now().UnixNano()
			if now <= before {
				now = before + 1
			}
			if last.CompareAndSwap(before, now) {
				return time.Unix(0, now).UTC()
			}
		}
	}
}

// Package sinks lists the kinds of sinks that filelessd has built in.
package sinks

import (
	"github.com/filelessd/filelessd/internal/sinks/elasticsearch"
	"github.com/filelessd/filelessd/internal/sinks/file"
	"github.com/filelessd/filelessd/internal/sinks/kafka"
	"github.com/filelessd/filelessd/internal/sinks/loki"
	otlplogs "github.com/filelessd/filelessd/internal/sinks/otlp_logs"
	"github.com/filelessd/filelessd/internal/sinks/s3"
	"github.com/filelessd/filelessd/internal/sinks/stdout"
	"github.com/filelessd/filelessd/internal/sinks/webhook"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Builtin returns a new registry of the built-in kinds. A kind's directory has its name.
func Builtin() *sink.Registry {
	r := new(sink.Registry)
	sink.Register(r, elasticsearch.Kind)
	sink.Register(r, file.Kind)
	sink.Register(r, kafka.Kind)
	sink.Register(r, loki.Kind)
	sink.Register(r, otlplogs.Kind)
	sink.Register(r, s3.Kind)
	sink.Register(r, stdout.Kind)
	sink.Register(r, webhook.Kind)
	return r
}

// Package sinks lists the kinds of sinks that filelessd has built in.
package sinks

import (
	"github.com/filelessd/filelessd/internal/sinks/alertmanager"
	"github.com/filelessd/filelessd/internal/sinks/elasticsearch"
	"github.com/filelessd/filelessd/internal/sinks/exec"
	"github.com/filelessd/filelessd/internal/sinks/falcosidekick"
	"github.com/filelessd/filelessd/internal/sinks/file"
	"github.com/filelessd/filelessd/internal/sinks/kafka"
	"github.com/filelessd/filelessd/internal/sinks/loki"
	"github.com/filelessd/filelessd/internal/sinks/nats"
	otlplogs "github.com/filelessd/filelessd/internal/sinks/otlp_logs"
	"github.com/filelessd/filelessd/internal/sinks/pagerduty"
	redisstream "github.com/filelessd/filelessd/internal/sinks/redis_stream"
	"github.com/filelessd/filelessd/internal/sinks/s3"
	"github.com/filelessd/filelessd/internal/sinks/slack"
	"github.com/filelessd/filelessd/internal/sinks/smtp"
	splunkhec "github.com/filelessd/filelessd/internal/sinks/splunk_hec"
	"github.com/filelessd/filelessd/internal/sinks/stdout"
	"github.com/filelessd/filelessd/internal/sinks/syslog"
	"github.com/filelessd/filelessd/internal/sinks/teams"
	"github.com/filelessd/filelessd/internal/sinks/webhook"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Builtin returns a new registry of the built-in kinds. A kind's directory has its name.
func Builtin() *sink.Registry {
	r := new(sink.Registry)
	sink.Register(r, alertmanager.Kind)
	sink.Register(r, elasticsearch.Kind)
	sink.Register(r, exec.Kind)
	sink.Register(r, falcosidekick.Kind)
	sink.Register(r, file.Kind)
	sink.Register(r, kafka.Kind)
	sink.Register(r, loki.Kind)
	sink.Register(r, nats.Kind)
	sink.Register(r, otlplogs.Kind)
	sink.Register(r, pagerduty.Kind)
	sink.Register(r, redisstream.Kind)
	sink.Register(r, s3.Kind)
	sink.Register(r, slack.Kind)
	sink.Register(r, smtp.Kind)
	sink.Register(r, splunkhec.Kind)
	sink.Register(r, stdout.Kind)
	sink.Register(r, syslog.Kind)
	sink.Register(r, teams.Kind)
	sink.Register(r, webhook.Kind)
	return r
}

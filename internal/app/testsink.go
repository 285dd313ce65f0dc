package app

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"reflect"
	"time"

	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/deliver"
	"github.com/filelessd/filelessd/internal/render"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Tried is how the delivery of a test report went.
type Tried struct {
	Sink      string   `json:"sink"`
	Type      string   `json:"type"`
	Report    string   `json:"report"` // its id
	Delivered bool     `json:"delivered"`
	Seconds   float64  `json:"seconds"` // that the delivery took, without opening the sink
	Answers   []string `json:"answers"` // of the destination; none if its protocol has no answers
	Error     string   `json:"error"`
	Permanent bool     `json:"permanent"` // a report that meets this error goes to the dead letters at once
}

// TrySink opens a sink of its own, beside those of a running daemon, and delivers one report of the kind
// test, once. Filters, grouping, silences and retries are the daemon's: none of them is asked.
func TrySink(ctx context.Context, c config.Sink, version string, stdout io.Writer) Tried {
	host, _ := os.Hostname()
	r := deliver.TestReport(c.Name, cmp.Or(host, "unknown"), version, time.Now())
	tried := Tried{Sink: c.Name, Type: c.Type, Report: r.ID, Answers: []string{}}
	ctx, cancel := context.WithTimeout(ctx, c.Policy.Timeout)
	defer cancel()
	secrets := secretsIn(reflect.ValueOf(c.Config))
	s, err := c.Kind.Open(ctx, c.Config, sink.Env{
		Name: c.Name, Version: version, Render: render.Render, Stdout: stdout, State: new(deliver.Memory),
	})
	if err == nil {
		ctx, answers := sink.WithAnswers(ctx)
		began := time.Now()
		err = s.Deliver(ctx, r)
		tried.Seconds = time.Since(began).Seconds()
		err = errors.Join(err, s.Close())
		for _, text := range answers() {
			tried.Answers = append(tried.Answers, sink.Hide(errors.New(text), secrets...).Error())
		}
	}
	// Sinks leave their secrets out. They may still be written by others, and this goes to a terminal.
	if err = sink.Hide(err, secrets...); err != nil {
		tried.Error, tried.Permanent = err.Error(), sink.IsPermanent(err)
	}
	tried.Delivered = err == nil
	return tried
}

// secretsIn returns every secret of a configuration.
func secretsIn(v reflect.Value) (all []sink.Secret) {
	if s, ok := reflect.TypeAssert[sink.Secret](v); ok {
		return []sink.Secret{s}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			all = secretsIn(v.Elem())
		}
	case reflect.Struct:
		for f, field := range v.Fields() {
			if f.IsExported() {
				all = append(all, secretsIn(field)...)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			all = append(all, secretsIn(v.Index(i))...)
		}
	case reflect.Map:
		for i := v.MapRange(); i.Next(); {
			all = append(all, secretsIn(i.Value())...)
		}
	default:
	}
	return all
}

package app

import (
	"context"

	"github.com/filelessd/filelessd/internal/server"
	"github.com/filelessd/filelessd/internal/when"
	"github.com/filelessd/filelessd/pkg/report"
)

func (a *App) openServer(ctx context.Context) error {
	if a.config.HTTP.Listen == "" {
		return nil
	}
	s, err := server.Open(ctx, a.config.HTTP, server.Backend{
		Ready: a.problems, Summary: a.summary, Status: a.status, Metrics: a.registry, Log: a.log,
		Reload: func(ctx context.Context) (any, error) { return a.Reload(ctx, "POST /-/reload") },
		Ports:  a.ports,
	})
	if err != nil {
		return err
	}
	a.server = s
	return nil
}

func (a *App) openReports(ctx context.Context) error {
	if a.config.GRPC.Listen == "" {
		return nil
	}
	s, err := server.OpenReports(ctx, a.config.GRPC, server.ReportsBackend{
		Log: a.store, Expand: a.expand, When: compileFilter, Logger: a.log.With().Str("part", "grpc").Logger(),
		Ports: a.ports,
	})
	if err != nil {
		return err
	}
	a.reports = s
	a.onStop("the report service", s.Close)
	a.metrics.watchReports(s)
	return nil
}

func (a *App) openPprof(ctx context.Context) error {
	if a.config.Pprof.Listen == "" {
		return nil
	}
	s, err := server.OpenPprof(ctx, a.config.Pprof, a.log)
	if err != nil {
		return err
	}
	a.pprof = s
	a.onStop("pprof", ignoreClosed(s.Close))
	a.log.Info().Stringer("address", s.Addr()).Msg("profiles are served")
	return nil
}

// compileFilter reads the filter of a caller in the language of a sink's `when`.
func compileFilter(expression string) (func(*report.Report) (bool, error), error) {
	program, err := when.Compile(expression)
	if err != nil {
		return nil, err
	}
	return program.Report, nil
}

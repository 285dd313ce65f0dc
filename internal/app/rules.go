package app

import (
	"github.com/filelessd/filelessd/internal/analyze"
	"github.com/filelessd/filelessd/internal/config"
	"github.com/filelessd/filelessd/internal/knowledge"
	"github.com/filelessd/filelessd/internal/match"
)

// rules are what intake judges alerts by. They do not change: a reload puts others in their place.
type rules struct {
	set      *match.Set
	analyzer *analyze.Analyzer
}

func (a *App) newRules(base *knowledge.Base, conf *config.Config) (*rules, error) {
	set, err := match.New(base, conf.Match, func(rule string, err error) {
		a.metrics.ruleErrors.WithLabelValues(rule).Inc()
		a.log.Warn().Err(err).Str("rule", rule).Msg("a rule of match.rules failed on an alert, which counts as not matching")
	})
	if err != nil {
		return nil, err
	}
	analyzer, err := analyze.New(base, conf.Match, a.options.Version)
	if err != nil {
		return nil, err
	}
	return &rules{set, analyzer}, nil
}

package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
)

// lost hears from the store that a sink lost records because the log was full. The loss is a report
// itself, so that the other sinks tell of it.
func (a *App) lost(cursor string, records int, first, last uint64) {
	a.metrics.lost.WithLabelValues("store_full").Add(float64(records))
	a.log.Error().Str("sink", cursor).Int("records", records).Uint64("first", first).Uint64("last", last).
		Msg("the log was full and the sink furthest behind lost its oldest reports")
	r := &report.Report{
		Kind: report.KindLoss, SchemaVersion: report.SchemaVersion, CreatedAt: time.Now().UTC(),
		Title: fmt.Sprintf("filelessd lost %d reports for sink %s", records, cursor),
		Summary: fmt.Sprintf("The log reached store.max_bytes (%s) while sink %s was %d reports behind. Its oldest %d "+
			"reports (numbers %d to %d of the log) were removed and will not be delivered to it. "+
			"Restore that sink, or give the log more room.", a.config.Store.MaxBytes, cursor, last-first+1, records, first, last),
		Severity: report.High, About: []string{cursor},
		Analysis: report.Analysis{Version: a.options.Version},
	}
	r.ID = subjectID(r.Kind, cursor, fmt.Sprintf("%d-%d", first, last))
	body, err := report.Marshal(r)
	if err == nil {
		_, err = a.store.Append(context.Background(), store.Record{ID: r.ID, Body: body, Value: r})
	}
	if err != nil {
		a.log.Error().Err(err).Msg("the loss could not be reported through the sinks")
	}
}

// subjectID is the ID of a report of another kind than alert: the same after a restart, because it
// follows from what the report is about.
func subjectID(kind report.Kind, subject, counter string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s", kind, subject, counter))
	return hex.EncodeToString(sum[:])
}

func (a *App) damaged(seq uint64, err error) {
	a.metrics.lost.WithLabelValues("damaged").Inc()
	a.log.Error().Err(err).Uint64("record", seq).Msg("a record of the log can not be read and is skipped")
}

func (a *App) forgot(cursor string, _ uint64) {
	a.log.Info().Str("sink", cursor).Msg("a sink that left the configuration a day ago is forgotten")
}

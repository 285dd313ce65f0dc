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

// lost hears from the store that records are gone before they were delivered. The loss is a report
// itself, so that the sinks tell of it. It counts once that report is in the log: with an error the
// store tells of it again.
func (a *App) lost(l store.Loss) error {
	r := a.lossReport(l)
	body, err := report.Marshal(r)
	if err == nil {
		_, err = a.store.Append(context.Background(), store.Record{ID: r.ID, Body: body, Value: r})
	}
	if err != nil {
		a.log.Error().Err(err).Str("sink", l.Cursor).Int("records", l.Records).
			Msg("records were lost, and that can not be reported through the sinks yet; trying again")
		return err
	}
	reason := "store_full"
	if l.Cursor == "" {
		reason = "damaged"
	}
	a.metrics.lost.WithLabelValues(reason).Add(float64(l.Records))
	a.log.Error().Str("sink", l.Cursor).Int("records", l.Records).Uint64("first", l.First).Uint64("last", l.Last).
		Msg(r.Title)
	return nil
}

func (a *App) lossReport(l store.Loss) *report.Report {
	r := &report.Report{
		Kind: report.KindLoss, SchemaVersion: report.SchemaVersion, CreatedAt: time.Now().UTC(),
		Severity: report.High, About: []string{l.Cursor},
		Analysis: report.Analysis{Version: a.options.Version},
	}
	if l.Cursor == "" {
		r.About = []string{"store"}
		r.Title = fmt.Sprintf("filelessd lost %d reports to damage of its log", l.Records)
		r.Summary = fmt.Sprintf("The file of the log was damaged and was rebuilt from what could be read. "+
			"%d reports (between the numbers %d and %d of the log) could not; sinks that had not delivered them "+
			"will not. The damaged file was kept in the data directory. Look at the disk.", l.Records, l.First, l.Last)
	} else {
		r.Title = fmt.Sprintf("filelessd lost %d reports for sink %s", l.Records, l.Cursor)
		r.Summary = fmt.Sprintf("The log reached store.max_bytes (%s) while sink %s was %d reports behind. Its oldest %d "+
			"reports (numbers %d to %d of the log) were removed and will not be delivered to it, but for those that "+
			"were in memory on their way to it, a few hundred at most. "+
			"Restore that sink, or give the log more room.",
			a.config.Store.MaxBytes, l.Cursor, l.Last-l.First+1, l.Records, l.First, l.Last)
	}
	r.ID = subjectID(r.Kind, r.About[0], fmt.Sprintf("%d-%d", l.First, l.Last))
	return r
}

// subjectID is the ID of a report of another kind than alert: the same after a restart, because it
// follows from what the report is about.
func subjectID(kind report.Kind, subject, counter string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s", kind, subject, counter))
	return hex.EncodeToString(sum[:])
}

// damaged hears of what the store can not read: a record, or for 0 another part of the file. What is lost
// when the file is rebuilt comes as a loss.
func (a *App) damaged(seq uint64, err error) {
	if seq == 0 {
		a.log.Error().Err(err).Msg("the log is damaged")
		return
	}
	a.metrics.lost.WithLabelValues("damaged").Inc()
	a.log.Error().Err(err).Uint64("record", seq).Msg("a record of the log can not be read and is skipped")
}

func (a *App) forgot(cursor string, _ uint64) {
	a.log.Info().Str("sink", cursor).Msg("a sink that left the configuration a day ago is forgotten")
}

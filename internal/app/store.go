package app

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
)

// ExportQuery asks for a part of the log.
type ExportQuery struct {
	After uint64    `json:"after"` // a number of the log; 0 for the beginning
	Since time.Time `json:"since"` // what the log took before is passed over
}

// ExportPart is a part of the log, as sinks get it.
type ExportPart struct {
	Reports    []json.RawMessage `json:"reports"`
	Next       uint64            `json:"next"`       // to be asked for after; 0 at the end
	Unreadable int               `json:"unreadable"` // records that are no reports
}

// exportPiece bounds the records of a part: as a sink gets it, a report is many times as long as in
// the log.
const exportPiece = 100

func (d *desk) export(ctx context.Context, q ExportQuery) (ExportPart, error) {
	part := ExportPart{Reports: []json.RawMessage{}}
	records, next, err := d.log.ReadNow(ctx, q.After, exportPiece)
	if err != nil {
		return part, err
	}
	part.Next = next
	for _, record := range records {
		if record.Time.Before(q.Since) {
			continue
		}
		r := new(report.Report)
		err := json.Unmarshal(record.Body, r)
		var body []byte
		if err == nil {
			body, err = report.Marshal(d.expand(r))
		}
		if err != nil {
			part.Unreadable++
			continue
		}
		part.Reports = append(part.Reports, body)
	}
	return part, nil
}

// StoreCheck is what a look at the whole log has found.
type StoreCheck struct {
	OK bool `json:"ok"`
	store.CheckReport
}

func (d *desk) check(ctx context.Context, _ Nothing) (StoreCheck, error) {
	found, err := d.log.Check(ctx, nil)
	return StoreCheck{found.OK(), found}, err
}

// Unopened is the finding of a log that is too damaged to be opened as it is.
func Unopened(err error) (c StoreCheck, ok bool) {
	if !errors.Is(err, store.ErrDamaged) {
		return c, false
	}
	c.Findings = []store.Finding{{What: err.Error()}}
	return c, true
}

func (d *desk) compact(ctx context.Context, _ Nothing) (store.CompactReport, error) {
	return d.log.Compact(ctx)
}

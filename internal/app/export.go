package app

import (
	"context"
	"encoding/json"
	"time"

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
	if d.log.LastSeq() <= q.After {
		return part, nil // Read would wait for more
	}
	records, err := d.log.Read(ctx, q.After, exportPiece)
	if err != nil {
		return part, err
	}
	for _, record := range records {
		part.Next = record.Seq
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

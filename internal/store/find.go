package store

import (
	"context"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// findIDs reads the index alone, of which an ID is a part; from its newest end, as what is looked for
// mostly is.
const findIDs = "SELECT id FROM records INDEXED BY records_at_id WHERE id BETWEEN ? AND ? ORDER BY at DESC LIMIT ?"

// Find returns up to limit IDs of records that begin with prefix, the newest first. Like Get of an ID
// that is not there, it may read the whole index.
func (l *Log) Find(ctx context.Context, prefix string, limit int) (ids []string, err error) {
	err = l.reading(ctx, func(r *reader) (err error) {
		s, err := r.db.prepare(findIDs)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		for _, between := range spans(prefix) {
			err := s.each(func(row []driver.Value) error {
				if id, ok := decodeID(row[0]); ok && strings.HasPrefix(id, prefix) {
					ids = append(ids, id)
				}
				return nil
			}, between[0], between[1], int64(limit-len(ids)))
			if err != nil || len(ids) >= limit {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for records %.64q: %w", prefix, err)
	}
	return ids, nil
}

// spans returns the first and the last value that an ID with the prefix can be stored as: as bytes and
// as text.
func spans(prefix string) (spans [][2]driver.Value) {
	if pad := 64 - len(prefix); pad >= 0 {
		low, err1 := hex.DecodeString(prefix + strings.Repeat("0", pad))
		high, err2 := hex.DecodeString(prefix + strings.Repeat("f", pad))
		if err1 == nil && err2 == nil {
			spans = append(spans, [2]driver.Value{low, high})
		}
	}
	return append(spans, [2]driver.Value{prefix, prefix + "\U0010ffff"})
}

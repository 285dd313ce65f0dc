package store

import (
	"database/sql/driver"
	"errors"
	"sort"
)

// hole is a run of numbers whose records are known to be lost, and were reported as such.
type hole struct{ first, last uint64 }

func (h hole) size() int { return int(h.last - h.first + 1) }

// holes are in order.
type holes []hole

func loadHoles(db *conn) (list holes, err error) {
	s, err := db.prepare("SELECT first, last FROM holes ORDER BY first")
	if err != nil {
		return nil, err
	}
	err = s.each(func(row []driver.Value) error {
		first, _ := row[0].(int64)
		last, _ := row[1].(int64)
		list = append(list, hole{uint64(first), uint64(last)})
		return nil
	})
	return list, errors.Join(err, s.Close())
}

// next returns seq, or the first number behind the holes that it is in.
func (list holes) next(seq uint64) uint64 {
	i := sort.Search(len(list), func(i int) bool { return list[i].last >= seq })
	for ; i < len(list) && list[i].first <= seq; i++ {
		seq = list[i].last + 1
	}
	return seq
}

// within returns how many numbers of h are in holes.
func (list holes) within(h hole) (n int) {
	for _, o := range list {
		if first, last := max(o.first, h.first), min(o.last, h.last); first <= last {
			n += int(last - first + 1)
		}
	}
	return n
}

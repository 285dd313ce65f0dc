package store

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
)

// TestLossesAreToldTogether: those that come while one is told are told as one.
func TestLossesAreToldTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		var rows []int64
		next := make(chan bool)
		n := newNotifier(options{onLoss: func(cursor string, records int, first, last uint64) {
			got = append(got, fmt.Sprint(cursor, " ", records, " ", first, " ", last))
			<-next
		}}, func(r []int64) { rows = append(rows, r...) })
		go n.loop()
		n.loss(loss{"a", 5, 1, 5, []int64{1}})
		synctest.Wait()
		n.loss(loss{"b", 2, 2, 3, []int64{2}})
		n.loss(loss{"a", 3, 6, 8, []int64{3}})
		n.loss(loss{"b", 3, 4, 6, []int64{4}})
		for range 3 {
			next <- true
		}
		synctest.Wait()
		n.close()
		if want := []string{"a 5 1 5", "a 3 6 8", "b 5 2 6"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		if want := []int64{1, 3, 2, 4}; !slices.Equal(rows, want) {
			t.Errorf("rows %v, want %v", rows, want)
		}
	})
}

package store

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestLossesAreToldTogether: those that come while one is told are told as one.
func TestLossesAreToldTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		var rows []int64
		next := make(chan bool)
		n := newNotifier(options{onLoss: func(l Loss) error {
			got = append(got, fmt.Sprint(l.Cursor, " ", l.Records, " ", l.First, " ", l.Last))
			<-next
			return nil
		}}, func(r []int64) { rows = append(rows, r...) })
		go n.loop()
		n.loss(loss{Loss{"a", 5, 1, 5}, []int64{1}})
		synctest.Wait()
		n.loss(loss{Loss{"b", 2, 2, 3}, []int64{2}})
		n.loss(loss{Loss{"a", 3, 6, 8}, []int64{3}})
		n.loss(loss{Loss{"b", 3, 4, 6}, []int64{4}})
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

// TestLossIsToldAgain: a loss of which nobody could take note is told again, together with what came
// meanwhile, and its rows stay until then.
func TestLossIsToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []Loss
		var rows []int64
		var mended atomic.Bool
		n := newNotifier(options{onLoss: func(l Loss) error {
			told = append(told, l)
			if !mended.Load() {
				return errors.New("not now")
			}
			return nil
		}}, func(r []int64) { rows = append(rows, r...) })
		go n.loop()
		n.loss(loss{Loss{"a", 2, 1, 2}, []int64{1}})
		synctest.Wait()
		n.loss(loss{Loss{"a", 3, 3, 5}, []int64{2}})
		synctest.Wait() // no second try at once
		time.Sleep(retell + time.Second)
		synctest.Wait()
		if len(rows) > 0 {
			t.Errorf("rows %v were removed before anybody heard", rows)
		}
		mended.Store(true)
		time.Sleep(time.Hour)
		synctest.Wait()
		n.close()
		want := []Loss{{"a", 2, 1, 2}, {"a", 5, 1, 5}, {"a", 5, 1, 5}}
		if !slices.Equal(told, want) || !slices.Equal(rows, []int64{1, 2}) {
			t.Errorf("told %+v, rows %v", told, rows)
		}
	})
}

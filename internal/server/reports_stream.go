package server

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/filelessd/filelessd/internal/store"
	reportsv1 "github.com/filelessd/filelessd/proto/reports/v1"
)

var errStopping = status.Error(codes.Unavailable, "the program stops: call again behind the last sequence that came")

// Stream sends reports as they are stored.
func (s *service) Stream(q *reportsv1.StreamRequest, out grpc.ServerStreamingServer[reportsv1.StreamResponse]) error {
	wanted, err := s.filter(q.GetWhen())
	if err != nil {
		return err
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		return status.Errorf(codes.ResourceExhausted, "there are %d streams already", cap(s.streams))
	}
	r := &reading{service: s, out: out, wanted: wanted}
	if err := r.begin(q); err != nil {
		return err
	}
	for {
		records, err := r.next()
		if err != nil {
			return err
		}
		for _, record := range records {
			if err := r.pass(record); err != nil {
				return err
			}
		}
	}
}

// reading is one stream.
type reading struct {
	*service
	out    grpc.ServerStreamingServer[reportsv1.StreamResponse]
	wanted filter
	pos    uint64 // everything up to it is dealt with
	told   uint64 // everything up to it, as the caller knows
}

// begin says where the stream begins.
func (r *reading) begin(q *reportsv1.StreamRequest) error {
	ctx := r.out.Context()
	newest := r.Log.LastSeq()
	r.pos = newest
	if q.FromSequence != nil {
		pos, err := r.before(ctx, q.GetFromSequence())
		if err != nil {
			return err
		}
		if pos > newest {
			return status.Errorf(codes.OutOfRange, "from_sequence: the log ends at %d: it is not the one that you have read before", newest)
		}
		r.pos = pos
	}
	if err := r.send(&reportsv1.StreamResponse{Sequence: r.pos}); err != nil {
		return err
	}
	oldest, err := r.oldest(ctx)
	if err != nil {
		return err
	}
	return r.gap(missing(r.pos, oldest, nil))
}

// next waits for records. It tells the caller from time to time how far the stream is.
func (r *reading) next() ([]store.Record, error) {
	ctx := r.out.Context()
	for {
		records, err := r.read(ctx)
		switch {
		case err == nil:
			return records, nil
		case r.stopping.Err() != nil && r.pos >= r.Log.LastSeq():
			if r.pos > r.told {
				_ = r.send(&reportsv1.StreamResponse{Sequence: r.pos}) // the stream ends either way
			}
			return nil, errStopping
		case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
			if r.pos > r.told {
				err = r.send(&reportsv1.StreamResponse{Sequence: r.pos})
			}
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				return nil, err
			}
		case ctx.Err() == nil && errors.Is(err, context.Canceled): // by stop, with something left to send
		default:
			return nil, r.failure(ctx, err)
		}
	}
}

// read waits for what lies behind pos: as long as it takes, but not longer than the next word to the
// caller is due; while the program stops, only for the disk.
func (r *reading) read(ctx context.Context) ([]store.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, r.progress)
	defer cancel()
	if r.stopping.Err() == nil {
		defer context.AfterFunc(r.stopping, cancel)()
	} else if r.pos >= r.Log.LastSeq() {
		return nil, errStopping
	}
	return r.Log.Read(ctx, r.pos, atOnce)
}

// mostSilent is how many records may be passed over without a word to the caller.
const mostSilent = 1000

// pass sends a record, if it is wanted.
func (r *reading) pass(record store.Record) error {
	decoded, err := decode(record)
	if err := r.gap(missing(r.pos, record.Seq, err)); err != nil {
		return err
	}
	r.pos = record.Seq
	m := &reportsv1.StreamResponse{Sequence: record.Seq}
	switch {
	case err == nil && r.wanted(decoded):
		m.Content = &reportsv1.StreamResponse_Report{Report: r.message(decoded)}
	case r.pos-r.told < mostSilent:
		return nil
	}
	return r.send(m)
}

func (r *reading) gap(gap *reportsv1.Gap) error {
	if gap == nil {
		return nil
	}
	r.pos = gap.GetLast()
	return r.send(&reportsv1.StreamResponse{Sequence: r.pos, Content: &reportsv1.StreamResponse_Gap{Gap: gap}})
}

// send waits until the caller has room for m. Who takes nothing for too long gives the place up: the
// log keeps what he did not take.
func (r *reading) send(m *reportsv1.StreamResponse) error {
	sent := make(chan error, 1)
	go func() { sent <- r.out.Send(m) }() // ends when this call does: gRPC cancels it
	timer := time.NewTimer(r.patience)
	defer timer.Stop()
	select {
	case err := <-sent:
		if err == nil {
			r.told = m.GetSequence()
		}
		return err
	case <-timer.C:
		return status.Errorf(codes.ResourceExhausted, "nothing was taken for %s: call again behind the last sequence that came", r.patience)
	}
}

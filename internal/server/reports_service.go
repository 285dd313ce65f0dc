package server

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/filelessd/filelessd/internal/store"
	"github.com/filelessd/filelessd/pkg/report"
	reportsv1 "github.com/filelessd/filelessd/proto/reports/v1"
)

const (
	usualPage = 50
	mostPage  = 100
	// mostPageBytes keeps a page of several reports below the 4 MiB that gRPC's clients take by default.
	mostPageBytes = 3 << 20
	// pageTime bounds the search for reports that pass a filter.
	pageTime = 3 * time.Second
	// atOnce is how many records are read at a time.
	atOnce = 16
	// shortestID is the shortest beginning that stands for an ID.
	shortestID = 8
)

// service answers the calls.
type service struct {
	reportsv1.UnimplementedReportServiceServer
	ReportsBackend

	streams  chan struct{} // a token a stream
	lookUps  chan struct{} // a token a Get or List
	stopping context.Context
	stop     context.CancelFunc

	patience time.Duration // how long a caller may take nothing
	progress time.Duration // how long a filter may let nothing through without a word
}

func newService(b ReportsBackend) *service {
	s := &service{
		ReportsBackend: b, streams: make(chan struct{}, mostStreams), lookUps: make(chan struct{}, mostLookUps),
		patience: time.Minute, progress: 10 * time.Second,
	}
	s.stopping, s.stop = context.WithCancel(context.Background())
	return s
}

// lookUp waits for its turn.
func (s *service) lookUp(ctx context.Context) (done func(), err error) {
	select {
	case s.lookUps <- struct{}{}:
		return func() { <-s.lookUps }, nil
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

// Get returns one report.
func (s *service) Get(ctx context.Context, q *reportsv1.GetRequest) (*reportsv1.GetResponse, error) {
	done, err := s.lookUp(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	record, err := s.find(ctx, q.GetId())
	if err != nil {
		return nil, err
	}
	r, err := decode(record)
	if err != nil {
		return nil, s.failure(ctx, errors.Join(store.ErrDamaged, err))
	}
	return &reportsv1.GetResponse{Entry: &reportsv1.Entry{Sequence: record.Seq, Report: s.message(r)}}, nil
}

func (s *service) find(ctx context.Context, id string) (store.Record, error) {
	if len(id) < shortestID {
		return store.Record{}, status.Errorf(codes.InvalidArgument, "id: want the whole id, or at least %d characters of its beginning", shortestID)
	}
	record, err := s.Log.Get(ctx, id)
	if !errors.Is(err, store.ErrNotFound) {
		return record, s.failure(ctx, err)
	}
	ids, err := s.Log.Find(ctx, id, 2)
	switch {
	case err != nil:
		return record, s.failure(ctx, err)
	case len(ids) == 0:
		return record, status.Error(codes.NotFound, "the log has no report of this id: it never was there, or is no longer kept")
	case len(ids) > 1:
		return record, status.Errorf(codes.InvalidArgument, "id: several reports begin like that: %s, %s", ids[0], ids[1])
	}
	record, err = s.Log.Get(ctx, ids[0])
	return record, s.failure(ctx, err)
}

// List returns a page.
func (s *service) List(ctx context.Context, q *reportsv1.ListRequest) (*reportsv1.ListResponse, error) {
	size := int(q.GetPageSize())
	if size < 0 {
		return nil, status.Error(codes.InvalidArgument, "page_size: negative")
	}
	if size == 0 {
		size = usualPage
	}
	p := &page{size: min(size, mostPage)}
	wanted, err := s.filter(q.GetWhen())
	if err != nil {
		return nil, err
	}
	done, err := s.lookUp(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	pos, err := s.before(ctx, q.GetFromSequence())
	if err != nil {
		return nil, err
	}
	newest := s.Log.LastSeq()
	p.NewestSequence = newest
	inTime, cancel := context.WithTimeout(ctx, pageTime)
	defer cancel()
	for full := false; pos < newest && !full && inTime.Err() == nil; {
		records, err := s.Log.Read(inTime, pos, atOnce)
		if err != nil && (ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded)) {
			return nil, s.failure(ctx, err)
		}
		for _, record := range records {
			if full = !s.add(p, pos, record, wanted); full {
				break
			}
			pos = record.Seq
		}
	}
	if pos < newest {
		p.NextSequence = pos + 1
	}
	return &p.ListResponse, nil
}

// page is an answer of List that is being made.
type page struct {
	reportsv1.ListResponse
	size, bytes int
}

// add puts a record on the page, behind what ends at pos. It returns false if there is no room.
func (s *service) add(p *page, pos uint64, record store.Record, wanted filter) bool {
	if len(p.Entries) == p.size {
		return false
	}
	r, err := decode(record)
	entry := &reportsv1.Entry{Sequence: record.Seq}
	if err == nil && wanted(r) {
		entry.Report = s.message(r)
		n := proto.Size(entry)
		if p.bytes += n; p.bytes > mostPageBytes && len(p.Entries) > 0 {
			return false
		}
		p.Entries = append(p.Entries, entry)
	}
	if gap := missing(pos, record.Seq, err); gap != nil {
		p.Gaps = append(p.Gaps, gap)
	}
	return true
}

// missing returns what lies between pos and the record at seq, and the record too if it could not be
// read; nil for nothing.
func missing(pos, seq uint64, err error) *reportsv1.Gap {
	last := seq
	if err == nil {
		last--
	}
	if last <= pos {
		return nil
	}
	return &reportsv1.Gap{First: pos + 1, Last: last}
}

// before returns the sequence behind which a reader begins that wants those from first on, 0 for the
// oldest.
func (s *service) before(ctx context.Context, first uint64) (uint64, error) {
	if first > 0 {
		return first - 1, nil
	}
	oldest, err := s.oldest(ctx)
	return oldest - 1, err
}

// oldest is the sequence of the oldest record that is kept, or that the next one will have.
func (s *service) oldest(ctx context.Context) (uint64, error) {
	stats, err := s.Log.Stats(ctx)
	if err != nil {
		return 1, s.failure(ctx, err)
	}
	if stats.Oldest == 0 {
		return s.Log.LastSeq() + 1, nil
	}
	return stats.Oldest, nil
}

type filter func(*report.Report) bool

// filter compiles an expression. A report on which it fails is wanted, as with sinks.
func (s *service) filter(expression string) (filter, error) {
	wants, err := s.When(expression)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "when: %v", err)
	}
	return func(r *report.Report) bool {
		ok, err := wants(r)
		return ok || err != nil
	}, nil
}

// decode returns the report of a record, which recent records bring along.
func decode(record store.Record) (*report.Report, error) {
	if r, ok := record.Value.(*report.Report); ok {
		return r, nil
	}
	r := new(report.Report)
	return r, r.UnmarshalJSON(record.Body)
}

func (s *service) message(r *report.Report) *reportsv1.Report {
	m := Message(s.Expand(r))
	fit(m)
	return m
}

// failure is what a caller is told of an error of the log. Its text has paths of this machine, and is
// for the program's own log.
func (s *service) failure(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return status.FromContextError(ctx.Err()).Err()
	case errors.Is(err, store.ErrClosed):
		return errStopping
	}
	s.Logger.Warn().Err(err).Msg("the report service can not read the log")
	if errors.Is(err, store.ErrDamaged) {
		return status.Error(codes.DataLoss, "the report can not be read back from the disk")
	}
	return status.Error(codes.Internal, "the log can not be read at present")
}

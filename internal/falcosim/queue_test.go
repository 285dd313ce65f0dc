package falcosim

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"github.com/falcosecurity/client-go/pkg/api/version"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

func TestGet(t *testing.T) { // 1, 2
	s, path := startUnix(t, Options{})
	conn := connect(t, path)
	wantRules(t, get(t, conn), nil)
	s.Push(numbered(0, 5)...)
	wantRules(t, get(t, conn), rules(0, 5))
	wantRules(t, get(t, conn), nil)
	if got, want := s.Stats(), (Stats{Sent: 5, Gets: 3}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

func TestGetMany(t *testing.T) { // 13
	s, path := startUnix(t, Options{})
	s.Push(numbered(0, 30_000)...)
	wantRules(t, get(t, connect(t, path)), rules(0, 30_000))
}

func TestSubHoldsBetweenRequests(t *testing.T) { // 3, 4
	inBubble(t, func(t *testing.T, s *Server, connect func(...grpc.DialOption) *grpc.ClientConn) {
		conn := connect()
		defer conn.Close()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		stream := sub(ctx, t, conn)
		for i := range 3 {
			s.Push(numbered(10*i, 2)...)
			request(t, stream)
			names, err := receive(t, stream, 2)
			if err != nil {
				t.Fatal(err)
			}
			wantRules(t, names, rules(10*i, 2))
			synctest.Wait() // the server waits for the next request

			s.Push(numbered(10*i+5, 2)...)
			time.Sleep(time.Hour)
			wantRules(t, get(t, conn), rules(10*i+5, 2)) // so the stream did not take them
		}
	})
}

func TestSubWithoutRequest(t *testing.T) { // 6
	inBubble(t, func(t *testing.T, s *Server, connect func(...grpc.DialOption) *grpc.ClientConn) {
		conn := connect()
		defer conn.Close()
		s.Push(numbered(0, 1)...)
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		_, err := sub(ctx, t, conn).Recv()
		wantCode(t, err, codes.DeadlineExceeded, "")
		wantRules(t, get(t, conn), rules(0, 1))
	})
}

func TestSubHalfClosed(t *testing.T) { // 5, 7
	inBubble(t, func(t *testing.T, s *Server, connect func(...grpc.DialOption) *grpc.ClientConn) {
		conn := connect()
		defer conn.Close()
		s.Push(numbered(0, 3)...)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		stream := sub(ctx, t, conn)
		request(t, stream)
		names, err := receive(t, stream, 3)
		if err != nil {
			t.Fatal(err)
		}
		wantRules(t, names, rules(0, 3))
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		s.Push(numbered(3, 1)...)
		began := time.Now()
		_, err = stream.Recv()
		wantCode(t, err, codes.DeadlineExceeded, "")
		if d := time.Since(began); d != 5*time.Second {
			t.Errorf("the call ended after %s, want its deadline", d)
		}
		wantRules(t, get(t, conn), rules(3, 1))
	})
}

func TestSplit(t *testing.T) { // 8, 9
	const n = 400
	s, path := startUnix(t, Options{})
	var mu sync.Mutex
	var all []string
	took := func(names ...string) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, names...)
		if len(all) < n {
			s.Push(numbered(len(all), 1)...) // one at a time, so that each client has its turns
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var clients sync.WaitGroup
	for range 2 {
		conn := connect(t, path)
		clients.Go(func() {
			stream, err := outputs.NewServiceClient(conn).Sub(ctx)
			for err == nil {
				if err = stream.Send(&outputs.Request{}); err != nil {
					break
				}
				var r *outputs.Response
				if r, err = stream.Recv(); err == nil {
					took(r.GetRule())
				}
			}
		})
	}
	conn := connect(t, path)
	s.Push(numbered(0, 1)...)
	for mu.Lock(); len(all) < n && ctx.Err() == nil; mu.Lock() {
		mu.Unlock()
		if names := get(t, conn); len(names) > 0 {
			took(names...)
		}
	}
	mu.Unlock()
	cancel()
	clients.Wait()
	slices.Sort(all)
	want := rules(0, n)
	slices.Sort(want)
	wantRules(t, all, want)
}

func TestClientLeaves(t *testing.T) { // 10, 11, 12
	s, path := startUnix(t, Options{})
	s.Push(numbered(0, 1000)...)
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := outputs.NewServiceClient(connect(t, path, grpc.WithStaticStreamWindowSize(65535))).
		Get(ctx, &outputs.Request{})
	if err != nil {
		t.Fatal(err)
	}
	names, err := receive(t, stream, 20)
	if err != nil {
		t.Fatal(err)
	}
	wantRules(t, names, rules(0, 20))
	cancel()
	rest := get(t, connect(t, path))
	if first, err := strconv.Atoi(rest[0]); err != nil || first < 20 || rest[len(rest)-1] != "999" {
		t.Errorf("the next call got %s to %s", rest[0], rest[len(rest)-1])
	}
	// Lost is what the client's window and the server's buffer hold, 64 KiB each, and an alert that
	// did not fit. Before the client was gone it may have given back what it had read.
	size := len(numbered(0, 1)[0]) + 5
	if lost, most := 1000-20-len(rest), 2*(65536/size+1)+1; lost > most {
		t.Errorf("%d alerts lost, want at most %d", lost, most)
	}
}

func TestSlots(t *testing.T) { // 19
	s, path := startUnix(t, Options{Threadiness: 2})
	served := make(chan int, 25)
	var streams []outputs.Service_SubClient
	var cancels []context.CancelFunc
	for i := range 25 {
		ctx, cancel := context.WithCancel(t.Context())
		t.Cleanup(cancel)
		stream := sub(ctx, t, connect(t, path))
		streams, cancels = append(streams, stream), append(cancels, cancel)
		go func() {
			for {
				if _, err := stream.Recv(); err != nil {
					return
				}
				select {
				case served <- i:
				case <-ctx.Done():
					return
				}
			}
		}()
	}
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	late := time.After(patience)
	// ask has all ask for one alert, and for another when that one went to a client that is gone.
	ask := func() int {
		t.Helper()
		for {
			s.Push(numbered(0, 1)...)
			for _, stream := range streams {
				_ = stream.Send(&outputs.Request{})
			}
			select {
			case i := <-served:
				return i
			case <-again.C:
			case <-late:
				t.Fatal("nobody is served")
			}
		}
	}
	first := map[int]bool{}
	for len(first) < 20 {
		first[ask()] = true
	}
	for range 100 {
		if !first[ask()] {
			t.Fatal("more than 20 streams are served")
		}
	}
	conn := connect(t, path)
	get(t, conn) // 19b
	if _, err := version.NewServiceClient(conn).Version(t.Context(), &version.Request{}); err != nil {
		t.Fatal(err)
	}
	for i := range first {
		cancels[i]()
	}
	for first[ask()] {
		continue // on its way when its client went
	}
}

package sinktest

import (
	"crypto/tls"
	"net"
	"sync"
	"testing"
)

// A Server is a destination that speaks a protocol over connections, in the test's own process: it
// plays the parts of a Harness that are the same for all of them. What the protocol says on accepting
// and refusing is the test's.
//
//	s := sinktest.NewServer(t, "tcp", nil, func(conn net.Conn, s *sinktest.Server) {
//		for reader := bufio.NewReader(conn); ; {
//			message, err := readFrame(reader)
//			if err != nil {
//				return
//			}
//			switch s.Take(message) {
//			case sinktest.Accepts: fmt.Fprint(conn, "+OK\r\n")
//			case sinktest.Rejects: fmt.Fprint(conn, "-ERR no\r\n")
//			case sinktest.Fails:   return // the connection is cut
//			}
//		}
//	})
//	h := s.Harness() // then set Open, Inert, Secret and Lacks
type Server struct {
	// Address is where it listens: host:port, or the path of a socket.
	Address string

	listener net.Listener
	arrived  chan struct{}
	group    sync.WaitGroup

	forgets bool // a benchmark's deliveries, which would fill the memory

	mu       sync.Mutex
	conduct  Conduct
	held     chan struct{}
	conns    map[net.Conn]bool
	gone     bool
	received [][]byte
}

// Conduct is what a Server does with what it gets.
type Conduct int

// The ways of a Server, after those of Harness.
const (
	Accepts Conduct = iota
	Rejects
	Throttles
	Fails
)

// NewServer listens on a port of the loopback, or for the network unix in a directory of the test, and
// runs serve for each connection. At the end of the test all is closed, and serve must return. With
// config it speaks TLS.
func NewServer(t testing.TB, network string, config *tls.Config, serve func(net.Conn, *Server)) *Server {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = t.TempDir() + "/s"
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	s := &Server{Address: l.Addr().String(), listener: l, arrived: make(chan struct{}, 1), conns: map[net.Conn]bool{}}
	_, s.forgets = t.(*testing.B)
	s.group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if !s.enter(conn) {
				continue
			}
			s.group.Go(func() {
				defer s.exit(conn)
				serve(conn, s)
			})
		}
	})
	t.Cleanup(func() {
		s.Leave()
		s.group.Wait()
	})
	return s
}

func (s *Server) enter(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		_ = conn.Close()
		return false
	}
	s.conns[conn] = true
	return true
}

func (s *Server) exit(conn net.Conn) {
	_ = conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
}

// Take is called with each delivery, as it came, and says what to answer; for a server that is held it
// waits for the release. Only what it accepts is received.
func (s *Server) Take(message []byte) Conduct {
	s.mu.Lock()
	held := s.held
	s.mu.Unlock()
	if held != nil {
		select {
		case s.arrived <- struct{}{}:
		default:
		}
		<-held
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conduct == Accepts && !s.gone && !s.forgets {
		s.received = append(s.received, append([]byte(nil), message...))
	}
	return s.conduct
}

// Received returns what was accepted; in a benchmark, nothing.
func (s *Server) Received() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([][]byte(nil), s.received...)
}

// Set makes it behave so from now on.
func (s *Server) Set(c Conduct) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conduct = c
}

// Leave stops listening and cuts all connections.
func (s *Server) Leave() {
	_ = s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
	if s.held != nil {
		close(s.held)
		s.held = nil
	}
	for conn := range s.conns {
		_ = conn.Close()
	}
}

// Hold is for Harness.Hold.
func (s *Server) Hold() (arrived <-chan struct{}, release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := make(chan struct{})
	s.held = held
	return s.arrived, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.held == held {
			close(held)
			s.held = nil
		}
	}
}

// Harness returns what the server plays of one. Throttle is missing: set it, with Set(Throttles) and the
// time that the protocol asks for, or name it in Lacks.
func (s *Server) Harness() Harness {
	return Harness{
		Received: s.Received,
		Accept:   func() { s.Set(Accepts) },
		Reject:   func() { s.Set(Rejects) },
		Fail:     func() { s.Set(Fails) },
		Leave:    s.Leave,
		Hold:     s.Hold,
	}
}

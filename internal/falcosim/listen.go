package falcosim

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// Listen starts the server on what open returns. A reload calls open again.
func (s *Server) Listen(open func() (net.Listener, error)) error {
	return s.serve(open, nil)
}

// ListenUnix starts the server on a unix socket. As with Falco's the umask says who may connect: with the
// usual one the mode is 0755, which is root alone, and under Falco's units it is 0700. A socket that a
// killed server has left is taken over, and so is one of a server that lives, as by Falco.
func (s *Server) ListenUnix(path string) error {
	return s.serve(func() (net.Listener, error) {
		if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
			if err := os.Remove(path); err != nil {
				return nil, err
			}
		}
		return listen("unix", path)
	}, nil)
}

// ListenTLS starts the server on host:port, with the server's certificate. Each client must have
// one from an authority in clients.
func (s *Server) ListenTLS(address string, cert tls.Certificate, clients *x509.CertPool) error {
	creds := mutualTLS{clients: clients, TransportCredentials: credentials.NewTLS(&tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{cert},
		ClientAuth:   tls.RequestClientCert,
		ClientCAs:    clients,
	})}
	return s.serve(func() (net.Listener, error) {
		l, err := listen("tcp", address)
		if err == nil {
			address = l.Addr().String() // a reload keeps the port that was chosen for port 0
		}
		return l, err
	}, creds)
}

func listen(network, address string) (net.Listener, error) {
	var config net.ListenConfig
	return config.Listen(context.Background(), network, address)
}

func (s *Server) serve(open func() (net.Listener, error), creds credentials.TransportCredentials) error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.current() != nil {
		return errors.New("falcosim: listens already")
	}
	s.listen, s.creds = open, creds
	return s.begin()
}

func (s *Server) begin() error {
	l, err := s.listen()
	if err != nil {
		return fmt.Errorf("falcosim: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addr, s.run = l.Addr(), s.start(l)
	return nil
}

func (s *Server) current() *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.run
}

// Addr is where the server listens, or listened last.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// Reload does what Falco does when its configuration changes: it stops, as Stop does, and starts
// again with the same queue.
func (s *Server) Reload() error {
	s.life.Lock()
	defer s.life.Unlock()
	if err := s.end(); err != nil {
		return err
	}
	return s.begin()
}

// Stop ends the server as SIGTERM ends Falco: clients are told to go (GOAWAY), no new ones are
// accepted, a unix socket is removed, and then Stop waits for all calls to end. A sub ends after
// its next request; one whose client neither asks nor cancels blocks Stop. The queue is lost.
func (s *Server) Stop() error {
	s.life.Lock()
	defer s.life.Unlock()
	err := s.end()
	s.queue.clear()
	return err
}

func (s *Server) end() error {
	r := s.current()
	if r == nil {
		return errors.New("falcosim: does not listen")
	}
	close(r.stopping)
	r.grpc.GracefulStop()
	<-r.served
	if !s.ended(r) {
		return errors.New("falcosim: aborted")
	}
	if errors.Is(r.err, grpc.ErrServerStopped) {
		return nil // the end came before Serve did
	}
	return r.err
}

// ended forgets r, and reports whether it was the first to do so.
func (s *Server) ended(r *run) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.run == r
	if first {
		s.run = nil
	}
	return first
}

// Abort ends the server as SIGKILL ends Falco, even while Stop waits: connections break, the queue
// is lost, and a unix socket stays behind.
func (s *Server) Abort() {
	r := s.current()
	if r == nil || !s.ended(r) {
		return
	}
	if unix, ok := r.listener.(*net.UnixListener); ok {
		unix.SetUnlinkOnClose(false)
	}
	r.grpc.Stop()
	<-r.served
	s.queue.clear()
}

// mutualTLS asks for a client certificate as Falco does: its refusal comes after the handshake and
// is a closed connection without a word, where Go's own server would send an alert.
type mutualTLS struct {
	credentials.TransportCredentials
	clients *x509.CertPool
}

func (m mutualTLS) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := m.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return nil, nil, err
	}
	if err := m.verify(info); err != nil {
		return nil, nil, errors.Join(err, raw.Close())
	}
	return conn, info, nil
}

func (m mutualTLS) verify(info credentials.AuthInfo) error {
	t, ok := info.(credentials.TLSInfo)
	if !ok || len(t.State.PeerCertificates) == 0 {
		return errors.New("peer did not return a certificate")
	}
	certs := t.State.PeerCertificates
	between := x509.NewCertPool()
	for _, c := range certs[1:] {
		between.AddCert(c)
	}
	_, err := certs[0].Verify(x509.VerifyOptions{
		Roots: m.clients, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return err
}

func (m mutualTLS) Clone() credentials.TransportCredentials {
	return mutualTLS{m.TransportCredentials.Clone(), m.clients}
}

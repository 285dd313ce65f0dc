package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"
)

// Sockets are those that systemd listens on for this program, and has passed to it. They outlive the
// program: who connects while it restarts waits, and is answered by the next process.
//
// A nil *Sockets has none. Methods may be called from any goroutine.
type Sockets struct {
	mu   sync.Mutex
	list []*socket
}

type socket struct {
	name    string // of the unit, if FileDescriptorName= says nothing else
	address netip.AddrPort
	what    string // the address, or what it is instead of a TCP socket
	file    *os.File
	used    bool
}

// FromSystemd takes over what the environment says was passed, and takes it out of the environment: a
// second call finds nothing. Without systemd there is nothing to be found.
func FromSystemd() *Sockets {
	s := &Sockets{}
	for _, f := range activation.Files(true) {
		k := &socket{name: f.Name(), what: "no TCP socket that listens", file: f}
		// It works on a copy of the descriptor, so that the socket can be opened again.
		if l, err := net.FileListener(f); err == nil {
			if tcp, ok := l.Addr().(*net.TCPAddr); ok {
				k.address, k.what = tcp.AddrPort(), tcp.String()
			} else {
				k.what = l.Addr().Network() + ":" + l.Addr().String()
				if unix, ok := l.(*net.UnixListener); ok {
					unix.SetUnlinkOnClose(false)
				}
			}
			_ = l.Close() // of the copy
		}
		s.list = append(s.list, k)
	}
	return s
}

// Open listens on address (host:port). It takes the socket that systemd has passed for it, if there is
// one. What it returns is a listener of its own: closing it leaves the socket to the next Open.
func (s *Sockets) Open(ctx context.Context, address string) (net.Listener, error) {
	l, err := s.take(ctx, address)
	if l == nil && err == nil {
		var lc net.ListenConfig
		if l, err = lc.Listen(ctx, "tcp", address); errors.Is(err, syscall.EADDRINUSE) {
			err = s.explain(address, err)
		}
	}
	return l, err
}

// take returns the socket for address, nil if none was passed.
func (s *Sockets) take(ctx context.Context, address string) (net.Listener, error) {
	if s == nil {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.list {
		if !Same(ctx, address, k.address) {
			continue
		}
		l, err := net.FileListener(k.file)
		if err != nil {
			return nil, fmt.Errorf("the socket %s that systemd has passed: %w", k.name, err)
		}
		k.used = true
		return l, nil
	}
	return nil, nil
}

// explain adds to an error of a bind the socket with the same port, if systemd has passed one.
func (s *Sockets) explain(address string, err error) error {
	if s == nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, port, _ := net.SplitHostPort(address)
	for _, k := range s.list {
		if k.address.IsValid() && strconv.Itoa(int(k.address.Port())) == port {
			return fmt.Errorf("%w (the socket %s of systemd listens on %s, which is not the same)", err, k.name, k.what)
		}
	}
	return err
}

// Unused names the sockets that were never opened, with their addresses. They are kept: a configuration
// that is read later may have a use for them, and could not bind the address itself.
func (s *Sockets) Unused() (names []string) {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.list {
		if !k.used {
			names = append(names, fmt.Sprintf("%s (%s)", k.name, k.what))
		}
	}
	return names
}

// Same reports whether a socket that listens on bound is the one that is meant by address (host:port). All
// addresses of the machine are not the same as one of them, so that a socket never lets in more than the
// configuration says.
func Same(ctx context.Context, address string, bound netip.AddrPort) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil || !bound.IsValid() {
		return false
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || uint16(number) != bound.Port() {
		return false
	}
	ip := bound.Addr().Unmap()
	if host == "" {
		return ip.IsUnspecified()
	}
	if want, err := netip.ParseAddr(host); err == nil {
		return want.Unmap() == ip
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return false
	}
	for _, want := range found {
		if want.Unmap() == ip {
			return true
		}
	}
	return false
}

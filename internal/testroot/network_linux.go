package testroot

import (
	"context"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// inNetwork runs f where the system's network is that of the thread; sockets stay where they were made.
func (r *Root) inNetwork(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		ns, err := os.Open("/proc/" + strconv.Itoa(r.leader) + "/ns/net")
		if err == nil {
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
			ns.Close()
		}
		if err == nil {
			err = f()
		}
		result <- err
	}()
	return <-result
}

// Listen listens on a port of the system's loopback.
func (r *Root) Listen() (l net.Listener) {
	r.t.Helper()
	err := r.inNetwork(func() (err error) {
		l, err = new(net.ListenConfig).Listen(r.t.Context(), "tcp", "127.0.0.1:0")
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return l
}

// Transport makes each connection anew, in the system.
func (r *Root) Transport() *http.Transport {
	return &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (c net.Conn, err error) {
		err = r.inNetwork(func() (err error) {
			c, err = new(net.Dialer).DialContext(ctx, network, address)
			return err
		})
		return c, err
	}}
}

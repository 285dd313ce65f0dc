package source

import (
	"net"
	"syscall"
)

// processOf returns the process that listens where conn leads to, as the kernel knows it: a unix
// socket tells, also through a reload, in which Falco stays the same process. 0 is unknown, as from
// within another PID namespace.
func processOf(conn net.Conn) int {
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return 0
	}
	raw, err := unix.SyscallConn()
	if err != nil {
		return 0
	}
	process := 0
	_ = raw.Control(func(fd uintptr) {
		if peer, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			process = int(peer.Pid)
		}
	})
	return process
}

//go:build integration

package render_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
)

// canary is a proxy that answers nothing and remembers who came.
type canary struct {
	address string
	mu      sync.Mutex
	seen    []string
}

func newCanary(t testing.TB) *canary {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c := &canary{address: l.Addr().String()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			first, _ := bufio.NewReader(conn).ReadString('\n')
			c.mu.Lock()
			c.seen = append(c.seen, strings.TrimSpace(first))
			c.mu.Unlock()
			fmt.Fprint(conn, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			conn.Close()
		}
	}()
	return c
}

// visits returns who came since the last call.
func (c *canary) visits() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := c.seen
	c.seen = nil
	return seen
}

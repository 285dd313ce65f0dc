package listen

import (
	"container/list"
	"net"
	"net/http"
	"sync"
	"time"
)

// Crowd bounds the connections of an http.Server, of which State is the ConnState.
//
// Each costs memory and a descriptor, and anybody can open one: a token is asked for later. One too many takes
// the place of the one to which nothing has happened for longest. If it were turned away instead, who holds all
// places and says nothing would keep out the one that has something to say.
type Crowd struct {
	most int
	gone chan struct{} // has a token if one went

	mu     sync.Mutex
	places map[net.Conn]*list.Element // nil for those that lost theirs and are not closed yet
	order  *list.List                 // of net.Conn, by when something happened last
}

// NewCrowd returns a bound of most connections.
func NewCrowd(most int) *Crowd {
	return &Crowd{most: most, gone: make(chan struct{}, 1), places: map[net.Conn]*list.Element{}, order: list.New()}
}

// State takes note of what happens to a connection.
func (c *Crowd) State(conn net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		if late := c.add(conn); late != nil {
			_ = late.Close()
		}
	case http.StateActive, http.StateIdle:
		c.mu.Lock()
		defer c.mu.Unlock()
		if place := c.places[conn]; place != nil {
			c.order.MoveToBack(place)
		}
	case http.StateClosed, http.StateHijacked:
		c.remove(conn)
	}
}

// add returns the connection that conn takes the place of; nil for none.
func (c *Crowd) add(conn net.Conn) (late net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.order.Len() >= c.most {
		late, _ = c.order.Remove(c.order.Front()).(net.Conn)
		c.places[late] = nil
	}
	c.places[conn] = c.order.PushBack(conn)
	// A TLS connection says goodbye first, for which it may wait.
	if secured, ok := late.(interface{ NetConn() net.Conn }); ok {
		return secured.NetConn()
	}
	return late
}

func (c *Crowd) remove(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if place := c.places[conn]; place != nil {
		c.order.Remove(place)
	}
	delete(c.places, conn)
	select {
	case c.gone <- struct{}{}:
	default:
	}
}

// Open is how many are open.
func (c *Crowd) Open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.places)
}

// Wait returns when none is open, or after d.
func (c *Crowd) Wait(d time.Duration) {
	over := time.NewTimer(d)
	defer over.Stop()
	for c.Open() > 0 {
		select {
		case <-c.gone:
		case <-over.C:
			return
		}
	}
}

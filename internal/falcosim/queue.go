package falcosim

import "sync"

// A queue is Falco's one queue of alerts: without bound, shared by all clients, and forgetting an
// alert when it is popped.
type queue struct {
	mu     sync.Mutex
	frames []Frame
	popped int
}

func (q *queue) push(frames []Frame) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.frames = append(q.frames, frames...)
}

func (q *queue) pop() (Frame, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.frames) == 0 {
		return nil, false
	}
	frame := q.frames[0]
	q.frames[0] = nil
	q.frames = q.frames[1:]
	q.popped++
	return frame, true
}

func (q *queue) clear() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.frames = nil
}

func (q *queue) counts() (queued, popped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.frames), q.popped
}

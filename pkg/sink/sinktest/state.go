package sinktest

import (
	"sync"

	"github.com/filelessd/filelessd/pkg/sink"
)

// State is a sink.State in memory, for tests: to look at what a sink remembers, and to give it what it
// should know. The zero value is empty.
type State struct {
	mu     sync.Mutex
	values map[string]string
}

// Get returns what was put under key.
func (s *State) Get(key string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok := s.values[key]
	return value, ok
}

// Put keeps what the program would keep.
func (s *State) Put(key, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, key)
	if value == "" || len(key) > sink.MaxStateKey || len(value) > sink.MaxStateValue {
		return
	}
	if s.values == nil {
		s.values = map[string]string{}
	}
	s.values[key] = value
}

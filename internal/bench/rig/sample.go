package rig

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ticks a second of the times in /proc (USER_HZ), which is 100 on every Linux that Go runs on.
const ticks = 100

// RSS is the resident memory of a process in bytes, now and at most so far.
func RSS(pid int) (now, peak int64, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	read := func(name string) (int64, error) {
		_, rest, _ := bytes.Cut(data, []byte("\n"+name+":"))
		fields := bytes.Fields(rest[:min(len(rest), 40)])
		if len(fields) == 0 {
			return 0, fmt.Errorf("/proc/%d/status has no %s", pid, name)
		}
		kb, err := strconv.ParseInt(string(fields[0]), 10, 64)
		return kb << 10, err
	}
	if now, err = read("VmRSS"); err != nil {
		return 0, 0, err
	}
	peak, err = read("VmHWM")
	return now, peak, err
}

// ResetPeak makes the peak of a process begin anew.
func ResetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0o600)
}

// CPU is the processor time that a process has used.
func CPU(pid int) (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name in the second field can hold anything.
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	return sum(fields[11:13])
}

// MachineCPU is the processor time that everything on the machine has used.
func MachineCPU() (time.Duration, error) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 9 {
		return 0, fmt.Errorf("/proc/stat has %d fields", len(fields))
	}
	busy, err := sum(fields[1:4]) // user, nice, system
	if err != nil {
		return 0, err
	}
	rest, err := sum(fields[6:9]) // irq, softirq, steal
	return busy + rest, err
}

func sum(fields [][]byte) (d time.Duration, err error) {
	for _, f := range fields {
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0, err
		}
		d += time.Duration(n) * time.Second / ticks
	}
	return d, nil
}

// Sampler follows a process that may be started anew under another number.
type Sampler struct {
	metrics string // address of /metrics; empty for none
	stop    context.CancelFunc
	done    sync.WaitGroup

	mu          sync.Mutex
	pid         int
	cpu, before time.Duration // of all its lives, and when this one was taken up
	peak        int64
	goroutines  int
	fds         int
}

// Sample follows pid until Stop. Metrics is the URL of its metrics, or empty.
func Sample(ctx context.Context, pid int, metrics string) *Sampler {
	ctx, stop := context.WithCancel(ctx)
	s := &Sampler{metrics: metrics, stop: stop}
	s.Follow(pid)
	s.done.Go(func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				s.look(ctx)
			case <-ctx.Done():
				return
			}
		}
	})
	return s
}

// Follow goes on with another process, which has to be alive.
func (s *Sampler) Follow(pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pid = pid
	s.before = 0
	if cpu, err := CPU(pid); err == nil {
		s.before = cpu
	}
	// Without the right to do so, the peak is that since the process began.
	_ = ResetPeak(pid)
}

// Look takes a sample now: before a process is killed, when nothing can be asked any more.
func (s *Sampler) Look(ctx context.Context) { s.look(ctx) }

func (s *Sampler) look(ctx context.Context) {
	goroutines := 0
	if s.metrics != "" {
		goroutines = goroutinesOf(ctx, s.metrics)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if cpu, err := CPU(s.pid); err == nil {
		s.cpu += cpu - s.before
		s.before = cpu
	}
	if _, peak, err := RSS(s.pid); err == nil {
		s.peak = max(s.peak, peak)
	}
	if fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.pid)); err == nil {
		s.fds = max(s.fds, len(fds))
	}
	s.goroutines = max(s.goroutines, goroutines)
}

func goroutinesOf(ctx context.Context, url string) int {
	data, err := get(ctx, url)
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), "\ngo_goroutines ")
	line, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.Atoi(line)
	if err != nil {
		return 0
	}
	return n
}

// Usage is what a process needed while it was followed.
type Usage struct {
	CPU        time.Duration
	Peak       int64 // bytes
	Goroutines int   // at most; 0 where it does not say
	FDs        int   // at most
}

// Stop takes a last sample and ends the following.
func (s *Sampler) Stop(ctx context.Context) Usage {
	s.look(ctx)
	s.stop()
	s.done.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return Usage{s.cpu, s.peak, s.goroutines, s.fds}
}

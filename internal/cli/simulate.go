package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/filelessd/filelessd/internal/falcosim"
)

type simulateCommand struct {
	Socket string  `default:"falco.sock" placeholder:"PATH" help:"Unix socket to serve on (default: ${default})."`
	Events string  `placeholder:"FILE" help:"Alerts to play, as Falco's JSON lines; - for stdin. They are sent as they stand. Without it a built-in scenario is played over and over, as if it happened now."`
	Rate   float64 `placeholder:"N" help:"Alerts a second; 0 for all at once. Default: 1 for the scenario, 0 for a file."`
	Count  int     `placeholder:"N" help:"Play this many alerts, from the beginning again as often as needed, as if they happened now."`
	Text   bool    `help:"Send outputs as with json_output: false."`
}

// Run serves until it is told to stop, then says what was sent. SIGHUP is a reload, as Falco's.
func (c *simulateCommand) Run(p *program) error {
	lines, err := c.lines(p)
	if err != nil {
		return err
	}
	s := falcosim.New(falcosim.Options{})
	if err := s.ListenUnix(c.Socket); err != nil {
		return err
	}
	fmt.Fprintf(p.Stderr, "serving Falco's gRPC API on unix://%s\n", c.Socket)
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	reloads := make(chan error, 1)
	go func() { reloads <- reloadOnHangup(ctx, s) }()

	playErr := c.play(ctx, s, lines)
	if playErr == nil {
		<-ctx.Done()
	}
	cancel()
	err = errors.Join(<-reloads, s.Stop())
	stats := s.Stats()
	sayErr := json.NewEncoder(p.Stdout).Encode(map[string]int{"sent": stats.Sent, "queued": stats.Queued})
	return errors.Join(playErr, err, sayErr)
}

// reloadOnHangup reloads the server at each SIGHUP until ctx ends.
func reloadOnHangup(ctx context.Context, s *falcosim.Server) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-hangup:
			if err := s.Reload(); err != nil {
				return fmt.Errorf("reload: %w", err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (c *simulateCommand) lines(p *program) ([][]byte, error) {
	var in io.Reader
	switch c.Events {
	case "":
		return falcosim.Scenario(), nil
	case "-":
		in = p.Stdin
	default:
		f, err := os.Open(c.Events)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	var lines [][]byte
	r := bufio.NewReader(in)
	for {
		line, tooLong, err := readLine(r)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s: %w", c.Events, err)
		}
		if len(line) > 0 && !tooLong {
			lines = append(lines, line)
		}
		if err != nil {
			break
		}
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("%s: no alerts", c.Events)
	}
	return lines, nil
}

// play pushes the alerts. As they stand: a file is played once. Made to happen now: again and again,
// up to count or for ever.
func (c *simulateCommand) play(ctx context.Context, s *falcosim.Server, lines [][]byte) error {
	rate, now := c.Rate, c.Count > 0 || c.Events == ""
	if rate == 0 && c.Events == "" && c.Count == 0 {
		rate = 1
	}
	total := c.Count
	if total == 0 && c.Events != "" {
		total = len(lines)
	}
	begin := time.Now()
	for n := 0; total == 0 || n < total; n++ {
		if rate > 0 && !sleepUntil(ctx, begin.Add(time.Duration(float64(n)/rate*float64(time.Second)))) {
			return nil
		}
		line := lines[n%len(lines)]
		if now {
			var err error
			// A nanosecond each keeps apart what is played at once.
			if line, err = falcosim.Stamp(line, time.Now().Add(time.Duration(n))); err != nil {
				return fmt.Errorf("alert %d: %w", n%len(lines)+1, err)
			}
		}
		if err := c.push(s, line); err != nil {
			return fmt.Errorf("alert %d: %w", n%len(lines)+1, err)
		}
	}
	return nil
}

func (c *simulateCommand) push(s *falcosim.Server, line []byte) error {
	if !c.Text {
		return s.PushJSON(line)
	}
	frame, err := falcosim.TextFrame(line)
	if err != nil {
		return err
	}
	s.Push(frame)
	return nil
}

// sleepUntil returns false if ctx ended first.
func sleepUntil(ctx context.Context, at time.Time) bool {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

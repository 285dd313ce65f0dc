package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"time"

	"github.com/filelessd/filelessd/internal/bench/rig"
)

// reload reads the configuration again and again while alerts come: each time it says something else, and
// of five that are read in a row two are broken.
func (r *row) reload(ctx context.Context) error {
	d := &reloadResult{from: r.faultAt}
	r.result.Reloads = d
	for n := range r.reloads {
		if err := until(ctx, r.faultAt.Add(time.Duration(n)*r.every())); err != nil {
			return err
		}
		broken, err := r.rewrite(n)
		if err != nil {
			return err
		}
		began := time.Now()
		taken, err := r.target.own.Reload(ctx)
		if err != nil {
			return err
		}
		d.LongestMs = max(d.LongestMs, ms(time.Since(began)))
		if broken {
			d.expected++
		}
		if taken {
			d.Applied++
		} else {
			d.Rejected++
		}
	}
	d.until = time.Now()
	return nil
}

// until waits for a moment.
func until(ctx context.Context, at time.Time) error {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// every is how often the configuration is read, so that it goes on for as long as alerts come.
func (r *row) every() time.Duration {
	load := time.Duration(r.n) * time.Second / time.Duration(r.rate)
	return (load - r.clean) / time.Duration(r.reloads+1)
}

// rewrite writes the configuration of reload n.
func (r *row) rewrite(n int) (broken bool, err error) {
	more := r.target.more
	sinks := append([]rig.Sink{}, r.target.sinks...)
	switch n % 5 {
	case 0: // another policy
		sinks[0].Policy = fmt.Sprintf("concurrency: %d", 4+n%8)
	case 1: // the sink opened anew
		secret := fmt.Sprintf("a secret of 32 bytes, number %04d", n)
		sinks[0].Policy = "secret: whsec_" + base64.StdEncoding.EncodeToString([]byte(secret)[:32])
	case 2: // no YAML
		more, broken = more+"\nmatch: [", true
	case 3: // another sink, and a rule
		sinks = append(sinks, rig.Sink{Name: "extra", URL: sinks[0].URL, Policy: `when: "score > 100"`})
		more += fmt.Sprintf("\nmatch: {rules: [{id: r%d, technique: memfd_exec, when: 'rule == \"x%d\"', reason: r}]}", n, n)
	case 4: // a good change beside a sink that does not open
		sinks[0].Policy, broken = "concurrency: 1", true
		sinks = append(sinks, rig.Sink{Name: "extra", URL: "https://127.0.0.1:1/", Policy: "tls: {ca_file: " + filepath.Join(r.target.dir, "none") + "}"})
	}
	return broken, r.target.own.Write(more, sinks)
}

// reloadsMeasured compares what was delivered while the configuration was read with what was before.
func (r *row) reloadsMeasured(t *rig.Tally) {
	d := r.result.Reloads
	// The first second is for starting.
	warm := r.began.Add(min(time.Second, r.clean/4))
	d.CleanPerS, d.PerS = round(t.Rate(warm, d.from)), round(t.Rate(d.from, d.until))
	d.CleanP99, d.P99 = ms(t.Took(0.99, warm, d.from)), ms(t.Took(0.99, d.from, d.until))
}

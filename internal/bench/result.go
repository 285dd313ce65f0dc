package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/filelessd/filelessd/internal/bench/rig"
)

// result is one line of output.
type result struct {
	Scenario string  `json:"scenario"`
	Alerts   int     `json:"alerts"`
	Shape    string  `json:"shape"`
	Posters  int     `json:"posters"`
	Rate     int     `json:"rate,omitempty"`
	Script   string  `json:"script,omitempty"`
	Kill     string  `json:"kill,omitempty"`
	Grouping bool    `json:"grouping"`
	Accepted int     `json:"accepted"`
	Refused  int     `json:"refused"` // posts without a 2xx, each repeated
	Seconds  float64 `json:"seconds"` // from the first post to the last delivery
	Intake   float64 `json:"intake_per_s"`

	Sinks []sinkResult `json:"sinks"`

	PeakMB     float64 `json:"peak_rss_mb"`
	IdleMB     float64 `json:"idle_rss_mb"`
	AfterMB    float64 `json:"after_rss_mb"`
	AfterS     float64 `json:"after_s,omitempty"` // how long it took to get there
	CPUMicros  float64 `json:"cpu_us_per_alert"`
	Goroutines int     `json:"goroutines,omitempty"`
	FDs        int     `json:"fds"`
	ReadyMs    float64 `json:"ready_ms,omitempty"` // of the start with a backlog, or after a kill
	StoreMB    float64 `json:"store_mb,omitempty"`
	// DrainThousand is the rate at which a backlog of 1,000 drains, to compare with.
	DrainThousand float64 `json:"drain_per_s_of_1000,omitempty"`

	// Reloads is how the configuration was read again during the load.
	Reloads *reloadResult `json:"reloads,omitempty"`

	Bounds    []bound   `json:"bounds"`
	Version   string    `json:"version"`
	Machine   machine   `json:"machine"`
	Reference reference `json:"reference"`
	Began     time.Time `json:"began"`
}

// sinkResult is what one webhook received.
type sinkResult struct {
	Name       string         `json:"name"`
	Distinct   int            `json:"distinct"`
	Lost       int            `json:"lost"`
	Duplicates int            `json:"duplicates"`
	PerSecond  float64        `json:"per_s"`
	P50        float64        `json:"p50_ms"`
	P99        float64        `json:"p99_ms"`
	CleanP99   float64        `json:"clean_p99_ms,omitempty"` // before the other sink failed
	FaultP99   float64        `json:"fault_p99_ms,omitempty"` // since then
	Messages   int            `json:"messages,omitempty"`     // with grouping: deliveries of any kind
	Members    int            `json:"members,omitempty"`      // with grouping: alerts that summaries stand for
	Kinds      map[string]int `json:"kinds,omitempty"`
}

// reloadResult is how a configuration was read again and again.
type reloadResult struct {
	Applied     int     `json:"applied"`
	Rejected    int     `json:"rejected"` // of those that were broken on purpose
	CleanPerS   float64 `json:"clean_per_s"`
	PerS        float64 `json:"per_s"` // delivered while that went on
	CleanP99    float64 `json:"clean_p99_ms"`
	P99         float64 `json:"p99_ms"`
	LongestMs   float64 `json:"longest_ms"` // that one took
	expected    int     // to be rejected
	from, until time.Time
}

// bound is what a row must hold.
type bound struct {
	What  string `json:"what"`
	Bound string `json:"bound"`
	Got   string `json:"got"`
	Held  bool   `json:"held"`
}

func (r *result) hold(what, limit, got string, held bool) {
	r.Bounds = append(r.Bounds, bound{what, limit, got, held})
}

const (
	mostPeakMB     = 100
	mostDuplicates = 256 // one batch, for each kill
	mostGrowthMB   = 20
)

// judge says of each bound whether it was held.
func (r *result) judge(s scenario) {
	for _, k := range r.Sinks {
		r.hold("lost by "+k.Name, "0", fmt.Sprint(k.Lost), k.Lost == 0)
		if s.kill != 0 && !s.grouping {
			r.hold("duplicates at "+k.Name, fmt.Sprintf("at most %d", mostDuplicates), fmt.Sprint(k.Duplicates), k.Duplicates <= mostDuplicates)
		}
		if k.Name == healthy {
			// A p99 of few milliseconds is a handful of alerts that met a busy processor.
			r.hold("p99 of "+k.Name, "unchanged (twice + 5 ms)", fmt.Sprintf("%.1f ms after %.1f ms", k.FaultP99, k.CleanP99),
				k.FaultP99 <= 2*k.CleanP99+5)
		}
		if s.grouping {
			r.hold("messages", fmt.Sprintf("at most %d", mostMessages), fmt.Sprint(k.Messages), k.Messages <= mostMessages)
		}
	}
	r.hold("peak RSS", fmt.Sprintf("under %d MB", mostPeakMB), fmt.Sprintf("%.0f MB", r.PeakMB), r.PeakMB < mostPeakMB)
	if s.perSec > 0 {
		r.hold("delivered", fmt.Sprintf("at least %.0f/s", s.perSec), fmt.Sprintf("%.0f/s", r.Sinks[0].PerSecond), r.Sinks[0].PerSecond >= s.perSec)
	}
	if s.settle {
		r.hold("RSS after", fmt.Sprintf("idle + %d MB", mostGrowthMB), fmt.Sprintf("%.0f MB after %.0f MB", r.AfterMB, r.IdleMB), r.AfterMB <= r.IdleMB+mostGrowthMB)
	}
	if s.reloads > 0 {
		d := r.Reloads
		r.hold("rejected reloads", fmt.Sprint(d.expected), fmt.Sprint(d.Rejected), d.Rejected == d.expected)
		r.hold("rate while reloading", "at least 0.9 of before", fmt.Sprintf("%.0f/s after %.0f/s", d.PerS, d.CleanPerS), d.PerS >= 0.9*d.CleanPerS)
	}
	if s.backlog {
		r.hold("ready", "under 3 s", fmt.Sprintf("%.2f s", r.ReadyMs/1000), r.ReadyMs < 3000)
		r.hold("drain rate", "as for 1,000 (at least 0.8)", fmt.Sprintf("%.2f", r.Sinks[0].PerSecond/r.DrainThousand),
			r.Sinks[0].PerSecond >= 0.8*r.DrainThousand)
	}
}

// sinkOf sums up a tally. From is when the load began, and faultAt when the script's fault did.
func sinkOf(name string, t *rig.Tally, from, faultAt time.Time, grouping bool) sinkResult {
	c := t.Counts()
	k := sinkResult{
		Name: name, Distinct: c.Distinct, Duplicates: c.Duplicates, Lost: t.Missing(),
		P50: ms(t.Took(0.5, time.Time{}, time.Time{})), P99: ms(t.Took(0.99, time.Time{}, time.Time{})),
	}
	if took := c.Last.Sub(from).Seconds(); took > 0 {
		k.PerSecond = round(float64(c.Distinct) / took)
	}
	if name == healthy {
		k.CleanP99, k.FaultP99 = ms(t.Took(0.99, from, faultAt)), ms(t.Took(0.99, faultAt, time.Time{}))
	}
	if grouping {
		k.Kinds = t.Kinds()
		for _, n := range k.Kinds {
			k.Messages += n
		}
		k.Members = c.Members
		// What was folded came as a number.
		k.Lost = max(0, k.Lost-c.Members)
	}
	return k
}

func ms(d time.Duration) float64               { return round(float64(d) / float64(time.Millisecond)) }
func mb(bytes int64) float64                   { return round(float64(bytes) / (1 << 20)) }
func round(f float64) float64                  { return math.Round(f*100) / 100 }
func perSecond(n int, d time.Duration) float64 { return round(float64(n) / d.Seconds()) }

// String is the row for people.
func (r *result) String() string {
	var b strings.Builder
	verdict := "held"
	var missed []string
	for _, c := range r.Bounds {
		if !c.Held {
			missed = append(missed, fmt.Sprintf("%s: %s, want %s", c.What, c.Got, c.Bound))
		}
	}
	if len(missed) > 0 {
		verdict = "MISSED " + strings.Join(missed, "; ")
	}
	fmt.Fprintf(&b, "%-20s %7d accepted, in %6.0f/s", r.Scenario, r.Accepted, r.Intake)
	for _, k := range r.Sinks {
		fmt.Fprintf(&b, " | %s: %d lost, %d twice, %.0f/s, p50 %.1f p99 %.1f ms", k.Name, k.Lost, k.Duplicates, k.PerSecond, k.P50, k.P99)
	}
	if d := r.Reloads; d != nil {
		fmt.Fprintf(&b, " | %d reloads taken, %d rejected, the longest %.0f ms: %.0f/s after %.0f/s, p99 %.1f after %.1f ms",
			d.Applied, d.Rejected, d.LongestMs, d.PerS, d.CleanPerS, d.P99, d.CleanP99)
	}
	fmt.Fprintf(&b, " | %.0f µs CPU each, RSS %.0f idle, %.0f peak, %.0f after | others used %.2f CPUs, fsync %.1f ms | %s",
		r.CPUMicros, r.IdleMB, r.PeakMB, r.AfterMB, r.Reference.OtherCPUs, r.Reference.FsyncMs, verdict)
	return b.String()
}

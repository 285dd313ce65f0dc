package deliver

import (
	"container/list"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/filelessd/filelessd/pkg/report"
)

// Grouping is how repeats of one attack are folded.
type Grouping struct {
	// Enabled makes repeats a summary: the first alert of an attack goes out at once, and so does
	// one of a higher severity or a worse verdict, below another parent, or from another host as
	// long as these are few. The rest is counted. False: every report goes out.
	Enabled bool `yaml:"enabled"`
	// Interval is how long repeats are gathered before the first summary. Each summary of an attack
	// that goes on quadruples it, up to MaxInterval. An attack that was quiet for twice that is
	// forgotten, and its next alert a first one.
	Interval    time.Duration `yaml:"interval"`
	MaxInterval time.Duration `yaml:"max_interval"`
}

// DefaultGrouping is what a configuration starts from.
func DefaultGrouping() Grouping {
	return Grouping{Enabled: true, Interval: time.Minute, MaxInterval: 4 * time.Hour}
}

// Validate says what is wrong with g.
func (g Grouping) Validate() error {
	var errs []error
	if g.Interval <= 0 {
		errs = append(errs, fmt.Errorf("interval: want more than 0, got %s", g.Interval))
	}
	if g.MaxInterval < g.Interval {
		errs = append(errs, fmt.Errorf("max_interval: want at least interval, got %s", g.MaxInterval))
	}
	return errors.Join(errs...)
}

// gather is how long repeats are gathered after that many summaries.
func (g Grouping) gather(summaries int) time.Duration {
	d := g.Interval
	for ; summaries > 0 && d < g.MaxInterval; summaries-- {
		d *= 4
	}
	return min(d, g.MaxInterval)
}

// forgetAfter is how long a group is remembered that nothing more is heard of.
func (g Grouping) forgetAfter() time.Duration { return 2 * g.MaxInterval }

const (
	kindGroup = "group"
	// mostGroups bounds the groups of a sink, and with them memory and what is kept on disk.
	mostGroups = 10_000
	// mostBreakouts is how many hosts of one attack are told of by an alert each. The hosts after
	// them are counted, and named in summaries: else an attack on a whole fleet would be a flood.
	mostBreakouts = 10
	// mostNamed is how many hosts, containers and rules a summary names.
	mostNamed = 32
	// longestName bounds each of them.
	longestName = 256
	// mostNames bounds what the names take in all groups of a sink together: each of them is text that
	// whoever can raise alerts may choose, and a name costs nothing to think of.
	mostNames = 4 << 20
	// nameCost is what a name takes beside its text.
	nameCost = 16
	// longestHost bounds the hosts that are remembered as told of.
	longestHost = 64
)

// groupState is what the records that the cursor has passed amount to. It is kept with the cursor,
// so that every record is counted once, whenever the program dies.
type groupState struct {
	Technique report.Technique `json:"technique"`
	Severity  report.Severity  `json:"severity"` // the highest that an alert told of
	Verdict   report.Verdict   `json:"verdict"`  // the worst, in the same way
	Hosts     []string         `json:"hosts"`    // those that an alert told of
	Rules     []string         `json:"rules"`
	Seen      time.Time        `json:"seen"`      // when the latest one came
	Summaries int              `json:"summaries"` // since it was quiet
	Held      *held            `json:"held,omitempty"`
}

// held are the members that no summary told of yet.
type held struct {
	Count      int             `json:"count"`
	First      string          `json:"first"` // ID of the first
	Seq        uint64          `json:"seq"`   // its place in the log
	Severity   report.Severity `json:"severity"`
	FirstTime  time.Time       `json:"first_time"`
	LastTime   time.Time       `json:"last_time"`
	Hosts      []string        `json:"hosts"`
	Containers []string        `json:"containers"`
	Due        time.Time       `json:"due"`
}

// group is an attack as a sink sees it. Besides its state it holds what the records in the window
// add to that: alerts behind them are judged by both.
type group struct {
	key string
	groupState
	ahead      weight   // the highest that an alert in the window tells of
	aheadHosts []string // that an alert in the window tells of
	inWindow   int      // records in the window that hold on to it
	telling    bool     // a summary is under way
	dirty      bool     // to be kept with the next settlement
	named      int      // what its names take, as counted in groups.named

	idle *list.Element // in groups.idle
	at   int           // in groups.due; -1 outside
}

func (g *group) knows(host string) bool {
	return slices.Contains(g.Hosts, host) || slices.Contains(g.aheadHosts, host)
}

// isNews reports whether an alert should tell that the attack is on that host too.
func (g *group) isNews(host string) bool {
	return host != "" && !g.knows(host) && len(g.Hosts)+len(g.aheadHosts) < mostBreakouts
}

// weight is how bad an alert is: by its severity, and by its verdict, since what is taken for a test, or
// for harmless, can have the severity of what is not.
type weight struct{ severity, verdict int }

var nothing = weight{-1, -1}

func weightOf(severity report.Severity, verdict report.Verdict) weight {
	w := weight{severity: severity.Rank()}
	switch verdict {
	case report.Suspicious:
		w.verdict = 1
	case report.MaliciousLikely:
		w.verdict = 2
	case report.Test, report.BenignLikely:
	}
	return w
}

func (w weight) with(o weight) weight {
	return weight{max(w.severity, o.severity), max(w.verdict, o.verdict)}
}

// isWorse reports whether r is worse than all that the sink was told of the group.
func (g *group) isWorse(r *report.Report) bool {
	told := g.ahead
	if g.Severity != "" {
		told = told.with(weightOf(g.Severity, g.Verdict))
	}
	return told.with(weightOf(r.Severity, r.Verdict)) != told
}

// tells notes what an alert in the window will tell the sink.
func (g *group) tells(r *report.Report) {
	g.ahead = g.ahead.with(weightOf(r.Severity, r.Verdict))
	if host := hostOf(r); g.isNews(host) {
		g.aheadHosts = append(g.aheadHosts, host)
	}
}

// told notes what an alert told the sink that the cursor passes.
func (g *group) told(r *report.Report) {
	g.Severity = higher(g.Severity, r.Severity)
	if g.Verdict == "" || weightOf("", r.Verdict).verdict > weightOf("", g.Verdict).verdict {
		g.Verdict = report.Verdict(bounded(string(r.Verdict), longestName))
	}
	host := hostOf(r)
	if i := slices.Index(g.aheadHosts, host); i >= 0 {
		g.aheadHosts = slices.Delete(g.aheadHosts, i, i+1)
		g.Hosts = append(g.Hosts, host)
	}
}

// size is what the names take that a summary of g would list.
func (g *group) size() (n int) {
	lists := [][]string{g.Rules}
	if g.Held != nil {
		lists = append(lists, g.Held.Hosts, g.Held.Containers)
	}
	for _, list := range lists {
		for _, name := range list {
			n += len(name) + nameCost
		}
	}
	return n
}

// hostOf names the host of an alert, in a copy: a long name by its beginning and a hash of all of it.
func hostOf(r *report.Report) string {
	host := r.Event.Hostname
	if len(host) <= longestHost {
		return strings.Clone(host)
	}
	h := keyHash{sha256.New()}
	h.add(host)
	hash := h.sum()
	return host[:longestHost-len(hash)] + hash
}

// count adds a member. Without room it is counted and not named.
func (h *held) count(r *report.Report, room bool) {
	at := timeOf(r)
	h.Count++
	h.Severity = higher(h.Severity, r.Severity)
	if h.FirstTime.IsZero() || at.Before(h.FirstTime) {
		h.FirstTime = at
	}
	if at.After(h.LastTime) {
		h.LastTime = at
	}
	if !room {
		return
	}
	h.Hosts = name(h.Hosts, r.Event.Hostname)
	if id, ok := r.Event.Field("container.id"); ok && id != "host" {
		h.Containers = name(h.Containers, id)
	}
}

func higher(a, b report.Severity) report.Severity {
	if b.Rank() > a.Rank() {
		return b
	}
	return a
}

// name adds a name to a short list of different ones.
func name(names []string, n string) []string {
	n = n[:min(len(n), longestName)]
	if n == "" || len(names) >= mostNamed || slices.Contains(names, n) {
		return names
	}
	return append(names, bounded(n, longestName))
}

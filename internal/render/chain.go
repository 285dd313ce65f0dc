package render

import (
	"strconv"
	"strings"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// process is one of the chain, oldest ancestor first.
type process struct {
	role  string
	place place  // where it ran
	facts []fact // what the alert says of it, its name first; none if nothing
	gap   bool   // what leads from it to the next is not known
}

// place is where a process ran, by what the alert supports: in a word or two, and why.
type place struct{ short, why string }

var (
	somewhere      = place{"not known", "not known"}
	atRuntime      = place{"host", "host, by the name of the runtime"}
	aboveRuntime   = place{"host", "host, as it is above the runtime"}
	belowRuntime   = place{"container", "container, as it is below the runtime"}
	knownContainer = place{"container", "container"}
)

type fact struct{ name, value string }

// farthest is the oldest ancestor that is looked for. Rules print few, since Falco walks up the
// chain for each.
const farthest = 8

// ancestry is the chain of processes that led to the event. Falco names ancestors one by one
// (proc.aname[2] is the grandparent), so that any of them can be missing.
func ancestry(r *report.Report) []block {
	e := r.Event
	if e == nil || r.Kind != report.KindAlert {
		return nil
	}
	self := process{role: "process", facts: factsOf(e, "proc.name", "proc.exepath", "proc.cmdline", "proc.exe", "proc.pid")}
	if failed(e) {
		self.role = "process that tried"
	}
	var chain []process // youngest first
	for i, known := 1, 0; i <= farthest; i++ {
		p := process{role: role(i), facts: ancestor(e, i)}
		if len(p.facts) == 0 {
			continue
		}
		for known++; known < i; known++ {
			chain = append(chain, process{role: role(known), gap: true})
		}
		chain = append(chain, p)
	}
	if len(chain) == 0 && len(self.facts) == 0 {
		return nil
	}
	older := process{role: "older ancestors", gap: true}
	if len(chain) == 0 {
		older.role = "parent and older"
	}
	all := []process{older}
	for i := len(chain) - 1; i >= 0; i-- {
		all = append(all, chain[i])
	}
	all = append(all, self)
	boxed := placeAll(e, all)
	return append([]block{chainRail(all)}, chainTable(all, boxed)...)
}

// failed reports whether the call was not carried out: what is said of the process is then its
// caller's.
func failed(e *event.Event) bool {
	res, ok := e.Field("evt.res")
	return ok && res != "SUCCESS"
}

func role(i int) string {
	switch i {
	case 1:
		return "parent"
	case 2:
		return "grandparent"
	default:
		return "ancestor " + strconv.Itoa(i)
	}
}

// ancestor is what e says of the parent (1), the grandparent (2) and so on.
func ancestor(e *event.Event, i int) []fact {
	if i == 1 {
		return factsOf(e, "proc.pname", "proc.pexepath", "proc.pcmdline", "proc.pexe", "proc.ppid")
	}
	at := "[" + strconv.Itoa(i) + "]"
	return factsOf(e, "proc.aname"+at, "proc.aexepath"+at, "proc.acmdline"+at, "proc.aexe"+at, "proc.apid"+at)
}

func factsOf(e *event.Event, names ...string) []fact {
	var all []fact
	for _, n := range names {
		if v, ok := e.Field(n); ok {
			all = append(all, fact{n, v})
		}
	}
	return all
}

// runtimes start containers and run outside of them. The names are what the kernel keeps of them,
// 15 characters.
var runtimes = map[string]bool{
	"containerd-shim": true, "containerd": true, "dockerd": true, "docker-containe": true, "conmon": true, "crio": true,
	"podman": true, "buildah": true, "runc": true, "docker-runc": true, "crun": true, "lxc-start": true,
}

// placeAll says of each process whether it ran in the container. Falco tells the container of the
// process of the event only; of an ancestor there is its name, which a process can choose.
// It reports whether there is a container to speak of.
func placeAll(e *event.Event, all []process) (boxed bool) {
	if id, known := e.Field("container.id"); !known || id == "host" {
		return false
	}
	runtime := -1 // the nearest ancestor that starts containers
	for i := len(all) - 2; i > 0 && runtime < 0; i-- {
		if len(all[i].facts) > 0 && runtimes[base(all[i].facts[0].value)] {
			runtime = i
		}
	}
	for i := range all {
		switch {
		case i == len(all)-1:
			all[i].place = knownContainer
		case runtime < 0:
			all[i].place = somewhere
		case i < runtime:
			all[i].place = aboveRuntime
		case i == runtime:
			all[i].place = atRuntime
		default:
			all[i].place = belowRuntime
		}
	}
	return true
}

// base is the last part of a path, or all of what is none.
func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

func chainTable(all []process, boxed bool) []block {
	t := table{columns: []column{{title: "Process", keep: true}, {title: "Field = value"}}}
	if boxed {
		t.columns = append(t.columns, column{title: "Where"})
	}
	for _, p := range all {
		var c cell
		for _, f := range p.facts {
			c = append(c, named(f.name, f.value))
		}
		if len(c) == 0 {
			c = text("not in the alert")
		}
		row := []cell{text(p.role), c}
		if boxed {
			row = append(row, text(p.place.why))
		}
		t.rows = append(t.rows, row)
	}
	return []block{t}
}

func chainRail(all []process) rail {
	r := rail{id: "chain", title: "Process chain"}
	var known []string
	for i, p := range all {
		s := stop{mark: filled, aside: p.role, broken: p.gap || i+1 < len(all) && all[i+1].gap, band: p.place.short, tint: p.place.short == knownContainer.short}
		if len(p.facts) == 0 {
			s.mark, s.head = hollow, words("not in the alert")
		} else {
			s.head = data(p.facts[0].value)[0]
			for _, f := range p.facts[1:] {
				if strings.HasSuffix(f.name, "pid") || len(s.lines) == 2 {
					break
				}
				s.lines = append(s.lines, data(f.value)[0])
			}
			known = append(known, p.role)
		}
		if i == len(all)-1 {
			s.mark = target
		}
		r.stops = append(r.stops, s)
	}
	r.about = "From the oldest ancestor at the top to the process of the event at the bottom. In the alert: " +
		strings.Join(known, ", ") + "."
	return r
}

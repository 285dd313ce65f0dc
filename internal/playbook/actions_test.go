package playbook_test

import (
	"bytes"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/internal/playbook"
	"github.com/filelessd/filelessd/pkg/report"
)

// TestActionsComplete checks what every reader relies on, over all reports.
func TestActionsComplete(t *testing.T) {
	order := []string{
		"decide", "preserve", "preserve_container", "preserve_host", "contain", "contain_network",
		"contain_node", "scope", "recover",
	}
	for name, r := range allReports(t) {
		last := -1
		for _, a := range advice(r) {
			at := slices.Index(order, a.ID)
			if at <= last {
				t.Errorf("%s: %s is unknown, twice, or out of its order", name, a.ID)
			}
			last = at
			for _, text := range []string{a.Title, a.Why, a.Needs, a.Risk, a.Changes, a.Undo} {
				checkText(t, name+", "+a.ID, text)
			}
			for _, result := range a.Results {
				checkText(t, name+", "+a.ID, result.If)
				checkText(t, name+", "+a.ID, result.Then)
			}
			// Of a host's process nothing on the host can be cut off alone, unless its user is known.
			if len(a.Commands) == 0 && a.ID != "contain_network" {
				t.Errorf("%s: %s has no commands", name, a.ID)
			}
		}
		for _, id := range []string{"decide", "preserve", "contain", "contain_network", "scope", "recover"} {
			if !slices.ContainsFunc(advice(r), func(a report.Action) bool { return a.ID == id }) {
				t.Errorf("%s: no %s", name, id)
			}
		}
		if len(advice(r)[0].Results) == 0 {
			t.Errorf("%s: nothing says what the first step's results mean", name)
		}
	}
}

var dangling = regexp.MustCompile(`  |%!|\(\)|\bof the \.|the the |unknown unknown|^[,.;]| [,.;]( |$)|:$`)

func checkText(t *testing.T, where, text string) {
	t.Helper()
	if text == "" || dangling.MatchString(text) || text != strings.TrimSpace(text) {
		t.Errorf("%s: %q is empty or broken", where, text)
	}
}

// destroys finds what stops, cuts off, changes or removes something that is evidence.
var destroys = regexp.MustCompile(`\bkill\b|\bpause\b|\bdisconnect\b|\bnft\b|cgroup\.freeze|kubectl (label|apply|delete|cordon|drain)|crictl (stop|rm)|\brm\b`)

// TestEvidenceFirst makes sure that nothing is stopped before it was kept, and that ending something
// asks for the evidence.
func TestEvidenceFirst(t *testing.T) {
	for name, r := range allReports(t) {
		kept := 0
		for _, a := range advice(r) {
			for _, b := range a.Commands {
				if destroys.MatchString(b) && kept < 2 {
					t.Errorf("%s: %s destroys before process and context are kept:\n%s", name, a.ID, b)
				}
				if a.ID == "recover" && !strings.Contains(b, `[ -s "$1" ] || { echo "no evidence`) {
					t.Errorf("%s: it ends things without asking for evidence:\n%s", name, b)
				}
			}
			if strings.HasPrefix(a.ID, "preserve") {
				kept++
			}
		}
	}
}

// TestQuarantineSparesTheHost makes sure that no rule is loaded before the namespaces are compared.
func TestQuarantineSparesTheHost(t *testing.T) {
	seen := 0
	blocks(allReports(t), func(name, id, block string) {
		at := strings.Index(block, " -n nft ")
		if at < 0 {
			return
		}
		seen++
		check := strings.Index(block, `[ "$own" != "$host" ] || {`)
		if check < 0 || check > at {
			t.Errorf("%s, %s: it would cut off a host:\n%s", name, id, block)
		}
	})
	if seen == 0 {
		t.Error("no block has a quarantine")
	}
}

// checkSyntax asserts that sh can read block. It runs nothing.
func checkSyntax(t *testing.T, name, block string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-n")
	cmd.Stdin = strings.NewReader(block + "\n")
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%s: sh -n: %v\n%s\n%s", name, err, out, block)
	}
}

func TestActionsSyntax(t *testing.T) {
	blocks(allReports(t), func(name, id, block string) { checkSyntax(t, name+", "+id, block) })
}

// TestPlaceholdersStop runs every block that asks for a value, up to there: the value is not set, so
// it must stop with the question, and run nothing behind it.
func TestPlaceholdersStop(t *testing.T) {
	question := regexp.MustCompile(`(?m)^: "\$\{([A-Z]+):\?FILL IN: (set ([A-Z]+) to [^'"$\x60{}\\]+)\}"$`)
	seen := map[string]bool{}
	blocks(allReports(t), func(name, id, block string) {
		for _, m := range question.FindAllStringSubmatch(block, -1) {
			if m[1] != m[3] {
				t.Errorf("%s, %s: asks for %s by the name of %s", name, id, m[1], m[3])
			}
			if seen[m[0]] {
				continue
			}
			seen[m[0]] = true
			cmd := exec.CommandContext(t.Context(), "sh", "-c", "(\n"+m[0]+"\necho went on\n)")
			cmd.Env = []string{}
			out, err := cmd.CombinedOutput()
			if err == nil || !bytes.Contains(out, []byte("FILL IN: "+m[2])) || bytes.Contains(out, []byte("went on")) {
				t.Errorf("%s, %s: %v: %s", name, id, err, out)
			}
		}
		if strings.Count(block, "FILL IN") != len(question.FindAllString(block, -1)) {
			t.Errorf("%s, %s: a question of another form:\n%s", name, id, block)
		}
	})
	asked := strings.Join(slices.Collect(maps.Keys(seen)), "")
	for _, variable := range []string{"PID", "CID", "NS", "POD", "VICTIM", "LABEL", "DIGEST", "SINCE", "UNTIL", "KEPT", "EVENTS"} {
		if !strings.Contains(asked, "${"+variable+":?") {
			t.Errorf("no block asks for %s", variable)
		}
	}
}

// TestVariants checks that each place gets the tools of that place, and no others.
func TestVariants(t *testing.T) {
	reports := allReports(t)
	for name, c := range map[string]struct{ has, hasNot []string }{
		"memfd_exec.docker":      {[]string{"docker inspect", "docker pause", "docker network disconnect", "CID='4be1c07a9d55'", "PID='48213'"}, []string{"kubectl", "crictl", "$TOOL"}},
		"podman":                 {[]string{"podman inspect", "podman pause", "podman network disconnect"}, []string{"kubectl", "crictl", "$TOOL", "docker pause"}},
		"containerd":             {[]string{"crictl inspect", "tasks pause", "-n nft"}, []string{"kubectl", "docker", "podman pause", "$TOOL"}},
		"cri-o":                  {[]string{"crictl inspect", "cgroup.freeze"}, []string{"kubectl", "docker", "ctr "}},
		"memfd_exec.kubernetes":  {[]string{"NS='shop'", "POD='web-6d9f7c5b8-xk2lp'", "name: quarantine", "quarantine=true", "crictl inspect"}, []string{"docker", "$TOOL", "cordon"}},
		"privileged pod":         {[]string{"kubectl cordon"}, []string{"kubectl drain"}},
		"memfd_exec.host":        {[]string{"kill -STOP", "journalctl", "skuid $OWNER"}, []string{"kubectl", "docker", "crictl", "-n nft", "CID"}},
		"memfd_exec.host.sparse": {[]string{"kill -STOP", "${PID:?FILL IN"}, []string{"kubectl", "docker", "-n nft", "skuid"}},
		"c26":                    {[]string{"kill -STOP", "${PID:?FILL IN", "-n nft"}, []string{"kubectl", "docker inspect \"", "CID="}},
		"c02":                    {[]string{"for t in docker podman crictl", "\"$TOOL\" pause", "FilelessExecutionViaMemfdCreate"}, []string{"kubectl"}},
		"c09":                    {[]string{"runc crun conmon"}, []string{"kubectl"}},
		"no strict forms":        {[]string{"${PID:?FILL IN", "${CID:?FILL IN", "${NS:?FILL IN", "${POD:?FILL IN"}, []string{"$(id)", "-x", "a b"}},
		"victim inside":          {[]string{"N='812'", "${VICTIM:?FILL IN"}, []string{"VICTIM='812'"}},
		"victim on host":         {[]string{"VICTIM='812'"}, []string{"N='812'", "${VICTIM:?"}},
	} {
		t.Run(name, func(t *testing.T) {
			r, ok := reports[name]
			if !ok {
				t.Fatal("no such report")
			}
			var all strings.Builder
			for _, a := range advice(r) {
				all.WriteString(strings.Join(a.Commands, "\n"))
			}
			for _, want := range c.has {
				if !strings.Contains(all.String(), want) {
					t.Errorf("no %q", want)
				}
			}
			for _, not := range c.hasNot {
				if strings.Contains(all.String(), not) {
					t.Errorf("there is %q", not)
				}
			}
		})
	}
}

// TestWithoutTime makes sure that a report without a time says whose time its commands have, and
// one without any asks for it.
func TestWithoutTime(t *testing.T) {
	reports := allReports(t)
	for _, a := range advice(reports["no time"]) {
		if b := strings.Join(a.Commands, "\n"); strings.Contains(b, "SINCE=") && !strings.Contains(b, "time of receipt") {
			t.Errorf("%s does not say that its time is that of the receipt:\n%s", a.ID, b)
		}
	}
	for _, a := range advice(reports["no time at all"]) {
		if b := strings.Join(a.Commands, "\n"); strings.Contains(b, "SINCE=") || strings.Contains(b, "0001-") || strings.Contains(b, "etimes") {
			t.Errorf("%s has a time that nobody gave:\n%s", a.ID, b)
		}
	}
}

func BenchmarkActions(b *testing.B) {
	reports := allReports(b)
	for _, name := range []string{"c02", "memfd_exec.docker", "memfd_exec.kubernetes", "memfd_exec.host"} {
		b.Run(name, func(b *testing.B) {
			r := reports[name]
			bytes := 0
			b.ReportAllocs()
			for b.Loop() {
				bytes = 0
				for _, a := range playbook.Expand(r).Actions {
					for _, c := range a.Commands {
						bytes += len(c)
					}
				}
			}
			b.ReportMetric(float64(bytes), "shell-bytes")
		})
	}
}

// TestPromisedOfStep1 holds the first step to what later ones say that it shows.
func TestPromisedOfStep1(t *testing.T) {
	promises := 0
	for name, r := range allReports(t) {
		all := advice(r)
		first := strings.Join(all[0].Commands, "\n")
		for _, a := range all[1:] {
			for _, b := range a.Commands {
				if !strings.Contains(b, "the process ID on the host; step 1 shows it") {
					continue
				}
				promises++
				if !strings.Contains(first, "ps -o pid=,ppid=") {
					t.Errorf("%s: %s says that step 1 shows the process ID:\n%s", name, a.ID, first)
				}
			}
		}
	}
	if promises == 0 {
		t.Error("no report lacks a process ID")
	}
}

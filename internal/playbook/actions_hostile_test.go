package playbook_test

import (
	"bytes"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/internal/playbook"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// bases are reports of each place and technique, into which hostile values are put.
func bases(t testing.TB) map[string]*report.Report {
	t.Helper()
	all, chosen := allReports(t), map[string]*report.Report{}
	for _, name := range []string{
		"c02", "c26", "memfd_exec.docker.sparse", "volatile_path_exec.docker", "volatile_path_exec.host.sparse", "preload_from_fd.host",
		"preload_from_fd.kubernetes.sparse", "process_injection.host", "victim on host", "deleted_exec.host", "fd_exec.kubernetes", "podman", "containerd", "test on host",
	} {
		if chosen[name] = all[name]; chosen[name] == nil {
			t.Fatalf("no report %s", name)
		}
	}
	return chosen
}

// with is r with another value of one field. The technique and the verdict stay, so that the value
// comes as far as that kind of report lets it.
func with(r *report.Report, field, value string) *report.Report {
	e := &event.Event{Time: r.Event.Time, Received: r.Event.Received, Rule: r.Event.Rule, Source: r.Event.Source, Hostname: r.Event.Hostname}
	for name, v := range r.Event.Fields() {
		e.SetField(name, v)
	}
	e.SetField(field, value)
	changed := *r
	changed.Event = e
	return &changed
}

// TestHostileStrict makes sure that a value reaches commands quoted or not at all: what is left of a
// block, when every single-quoted word is taken out, is one of the texts that harmless values give.
func TestHostileStrict(t *testing.T) {
	values, known, seen := hostileValues(t), map[string]bool{}, map[string]bool{}
	blocks(allReports(t), func(_, _, block string) { known[skeleton(block)] = true })
	unread := map[string]bool{}
	for name, base := range bases(t) {
		for field, forms := range hostileFields() {
			for _, form := range forms {
				for _, value := range values {
					r := with(base, field, strings.ReplaceAll(form, "%", value))
					for _, a := range advice(r) {
						for _, b := range a.Commands {
							if seen[b] {
								continue
							}
							seen[b] = true
							s := skeleton(b)
							if !known[s] && !unread[s] {
								unread[s] = true
								checkBlock(t, name+", "+field+", "+strconv.QuoteToASCII(value[:min(len(value), 40)])+", "+a.ID, b, s)
							}
							if bytes.ContainsAny([]byte(b), "\x00\x1b\r") {
								t.Fatalf("%s, %s: a control character stands in\n%q", name, field, b)
							}
						}
					}
				}
			}
		}
	}
	t.Logf("%d skeletons of harmless alerts, %d more of hostile ones", len(known), len(unread))
}

// checkBlock is for a skeleton that no report of allReports has, such as a known value in a place
// that lacked it there. It must not have anything of a hostile value.
func checkBlock(t *testing.T, where, block, s string) {
	t.Helper()
	checkSyntax(t, where, block)
	for _, trace := range []string{"pwned", "evil.example", "alert(1)", "/etc/shadow", "AAAA", "--help", "rm -rf", "$HOME/ir-x"} {
		if strings.Contains(s, trace) {
			t.Errorf("%s: %q stands outside of quotes:\n%s", where, trace, block)
		}
	}
}

// skeleton is block with assigned values taken out, as a shell reads quotes.
func skeleton(block string) string {
	var b strings.Builder
	for line := range strings.Lines(block) {
		name, value, ok := strings.Cut(line, "='")
		if !ok || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" || !strings.HasSuffix(strings.TrimSpace(strings.SplitN(value, "   #", 2)[0]), "'") {
			b.WriteString(line)
			continue
		}
		b.WriteString(name + "=\n")
	}
	return b.String()
}

// stubs are shell functions in place of every command: they note their name and arguments in a file,
// and say what lets a block go on. PATH is empty, so nothing else can run; kill is one of them, as
// it is part of the shell.
const stubs = `
note() { printf '%s\000' "$@" "$END" >>"$NOTES"; }
readlink() {
  note readlink "$@"
  case $1 in /proc/1/*) printf 'net:[1]\n';; */exe) printf '%s\n' "$LINK";; *) printf 'net:[2]\n';; esac
}
ps() { note ps "$@"; case $* in *etimes*) printf '999999999\n';; *ppid=*-p*) printf '0\n';; esac; }
date() { note date "$@"; printf '1000000000\n'; }
id() { note id "$@"; printf '0\n'; }
cut() { note cut "$@"; }
tr() { note tr "$@"; }
`

var stubbed = []string{
	"docker", "podman", "crictl", "ctr", "kubectl", "nsenter", "nft", "kill", "cp", "cat", "ls", "ss", "stat", "sha256sum", "mkdir", "grep",
	"sed", "awk", "sort", "head", "tail", "journalctl", "last", "pgrep", "gcore", "dpkg", "rpm", "runc",
}

// TestHostileArguments runs the blocks that hold a hostile value, in a real sh with every command
// replaced. It compares with the same block of a harmless value: the same commands must run, with
// the same arguments but for the value, which arrives as it is and in one piece.
//
// Here are the values that a shell obeys, and in a short run every other block; the integration test has all
// values.
func TestHostileArguments(t *testing.T) {
	share := uint32(2)
	if playbook.Soak {
		share = 1
	}
	tryArguments(t, shellValues(), share)
}

// tryArguments runs one in share of the blocks.
func tryArguments(t *testing.T, values []string, share uint32) {
	const harmless = "Harmless1"
	ran, wanted := map[string]bool{}, map[string]string{}
	one := func(where, plain, b, link, value string) {
		if b == plain {
			return // the value is not in it
		}
		s := skeleton(b)
		if s != skeleton(plain) {
			return // it made another block, which TestHostileStrict looks at
		}
		if key := evidence.ReplaceAllString(s, "") + value; !ran[key] {
			ran[key] = true
			if crc32.ChecksumIEEE([]byte(key))%share > 0 {
				return
			}
			if _, ok := wanted[plain]; !ok {
				wanted[plain] = run(t, plain, strings.ReplaceAll(link, "%", harmless))
			}
			want, got := wanted[plain], run(t, b, strings.ReplaceAll(link, "%", value))
			if b == strings.ReplaceAll(plain, harmless, strings.ReplaceAll(value, "'", `'\''`)) {
				want = strings.ReplaceAll(want, harmless, value)
			} else { // only a part of the value is in it, or another value instead
				got, want = names(got), names(want)
			}
			if got != want {
				t.Errorf("%s:\n got %q\nwant %q\n%s", where, got, want, b)
			}
		}
	}
	for name, base := range bases(t) {
		for field, forms := range hostileFields() {
			for _, form := range forms {
				plain := commandsByID(with(base, field, strings.ReplaceAll(form, "%", harmless)))
				link := form
				if strings.HasPrefix(form, "memfd:") {
					link = "/" + form + " (deleted)"
				}
				for _, value := range values {
					for id, list := range commandsByID(with(base, field, strings.ReplaceAll(form, "%", value))) {
						for i, b := range list[:min(len(list), len(plain[id]))] {
							one(name+", "+field+"="+strconv.Quote(value)+", "+id, plain[id][i], b, link, value)
						}
					}
				}
			}
		}
	}
	t.Logf("%d blocks with a hostile value were run", len(ran))
	if len(ran) < 100 {
		t.Error("hardly any hostile value reached a command: the test tests nothing")
	}
}

// end is an argument that ends a command in the notes.
const end = "(end of command)"

// names are the commands that were noted, without their arguments.
func names(notes string) string {
	var b strings.Builder
	for command := range strings.SplitSeq(notes, end+"\x00") {
		name, _, _ := strings.Cut(command, "\x00")
		b.WriteString(name + " ")
	}
	return b.String()
}

// evidence is the name of the directory, which differs between reports and nothing else does.
var evidence = regexp.MustCompile(`ir-[0-9a-f]{12}`)

func commandsByID(r *report.Report) map[string][]string {
	m := map[string][]string{}
	for _, a := range advice(r) {
		m[a.ID] = a.Commands
	}
	return m
}

// run returns what block runs, sorted, since the parts of a pipeline run at the same time: of each
// command its name and arguments, each ended by NUL. Instead of the
// machine's processes there is a single one, whose image is link.
func run(t *testing.T, block, link string) string {
	t.Helper()
	dir, proc := t.TempDir(), t.TempDir()
	notes := filepath.Join(proc, "notes")
	if err := os.Mkdir(filepath.Join(proc, "4713"), 0o755); err != nil {
		t.Fatal(err)
	}
	block = strings.ReplaceAll(block, "/proc/[0-9]*", proc+"/[0-9]*")
	var script strings.Builder
	script.WriteString(stubs)
	for _, name := range stubbed {
		script.WriteString(name + "() { note " + name + " \"$@\"; }\n")
	}
	script.WriteString("NET=1 PID=4711 CID=c61b4b13ae44 NS=n POD=p VICTIM=4712 LABEL=l DIGEST=d KEPT=yes SINCE=s UNTIL=u EVENTS=e\n" + block + "\n")
	cmd := exec.CommandContext(t.Context(), "/bin/sh")
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/nonexistent", "NOTES=" + notes, "OUT=" + dir + "/out", "HOME=" + dir, "END=" + end, "LINK=" + strings.ReplaceAll(link, "\x00", "")}
	cmd.Stdin = strings.NewReader(script.String())
	out, _ := cmd.CombinedOutput() // a block may end early, with a status of its own
	if bytes.Contains(out, []byte("not found")) {
		t.Errorf("a command has no stub: %s\n%s", out, block)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Errorf("the block made %s:\n%s", f.Name(), block)
	}
	noted, err := os.ReadFile(notes)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	noted = bytes.ReplaceAll(noted, []byte(dir), []byte("DIR"))
	noted = bytes.ReplaceAll(noted, []byte(proc), []byte("PROC"))
	all := strings.SplitAfter(string(noted), end+"\x00")
	slices.Sort(all)
	return strings.Join(all, "")
}

// TestStubs makes sure that the test above would see a command that a value brings along.
func TestStubs(t *testing.T) {
	got := run(t, "(\nFILE='x'; docker 'y z'\ncat -- \"$FILE\"\n)", "")
	if want := "cat\x00--\x00x\x00" + end + "\x00" + "docker\x00y z\x00" + end + "\x00"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

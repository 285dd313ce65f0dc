//go:build integration

package complete

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/internal/testprogram"
)

const scripts = "../../examples/packaging/completions"

// lines are what somebody typed, and the words that are offered.
var lines = []struct{ line, offers string }{
	{"filelessd st", "status store"},
	{"filelessd deadletters ", "drop list retry show"},
	{"filelessd deadletters list --sink show --si", "--since --sink"},
	{"filelessd status -o ", "json text"},
	{"filelessd status --output=j", "json"},
	{"filelessd completion ", "bash fish zsh"},
	{"filelessd analyze -o o", "ocsf"},
	{"filelessd check -c /etc/hostn", "/etc/hostname"},
}

// TestIntegrationBash asks bash, and has shellcheck read the script.
func TestIntegrationBash(t *testing.T) {
	bash := testprogram.Find(t, "bash", "bash")
	script := filepath.Join(scripts, "filelessd.bash")
	says(t, exec.CommandContext(t.Context(), testprogram.Find(t, "shellcheck", "shellcheck"), script))
	const ask = `source "$1" || exit
complete -p filelessd | grep -q -- '-F _filelessd' || exit
line=${2//=/ = }
read -ra COMP_WORDS <<<"$line"
[[ $line != *" " ]] || COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
compopt() { :; } # works in a completion only
_filelessd
printf '%s\n' "${COMPREPLY[@]}" | sort -u`
	for _, c := range lines {
		got := strings.Fields(says(t, exec.CommandContext(t.Context(), bash, "-c", ask, "bash", script, c.line)))
		compare(t, c.line, strings.Join(got, " "), c.offers)
	}
}

// TestIntegrationFish asks fish.
func TestIntegrationFish(t *testing.T) {
	fish := testprogram.Find(t, "fish", "fish")
	for _, c := range lines {
		out := says(t, exec.CommandContext(t.Context(), fish, "--no-config", "-c", "source $argv[1]; complete -C $argv[2]",
			filepath.Join(scripts, "filelessd.fish"), c.line))
		var got []string
		for line := range strings.Lines(out) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			got = append(got, strings.TrimPrefix(word, "--output="))
		}
		compare(t, c.line, strings.Join(got, " "), c.offers)
	}
}

// TestIntegrationZsh types into zsh, with Tab where there is one word to offer, and lets it run what came of it.
func TestIntegrationZsh(t *testing.T) {
	zsh := testprogram.Find(t, "zsh", "zsh")
	const ask = `zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1= RPS1= ; autoload -Uz compinit && compinit -D -u; source $1"
zpty -w z 'filelessd() { print -r -- "ran: $* :nar" }'
for typed in "$@[2,-1]"; do
	zpty -w z "$typed"$'\t'
	while zpty -r z line; do
		[[ $line == *'ran: '*' :nar'* && $line != *print* ]] && break
	done
	print -r -- "$line"
done
zpty -d z`
	cases := []struct{ typed, runs string }{
		{"filelessd statu", "status"},
		{"filelessd deadletters sho", "deadletters show"},
		{"filelessd deadletters list --sink show --sinc", "deadletters list --sink show --since"},
		{"filelessd explain 0123 --data-d", "explain 0123 --data-dir"},
		{"filelessd status -o j", "status -o json"},
		{"filelessd completion zs", "completion zsh"},
		{"filelessd analyze --output=oc", "analyze --output=ocsf"},
		{"filelessd check -c /etc/hostn", "check -c /etc/hostname"},
	}
	args := []string{"-f", "-c", ask, "zsh", filepath.Join(scripts, "_filelessd")}
	for _, c := range cases {
		args = append(args, c.typed)
	}
	out := says(t, exec.CommandContext(t.Context(), zsh, args...))
	parts := strings.Split(out, "ran: ")[1:]
	if len(parts) != len(cases) {
		t.Fatalf("zsh says %q", out)
	}
	for i, c := range cases {
		got, _, _ := strings.Cut(parts[i], " :nar")
		compare(t, c.typed, strings.TrimSpace(got), c.runs)
	}
}

func compare(t *testing.T, line, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%q: got %q, want %q", line, got, want)
	}
}

// says runs a program, which has to succeed without a word on stderr.
func says(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() != 0 {
		t.Fatalf("%s: %v\n%s%s", cmd, err, out, stderr.String())
	}
	return string(out)
}

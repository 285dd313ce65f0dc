package cli

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/internal/sinks"
	"github.com/filelessd/filelessd/pkg/report"
)

// world is what a terminal test sets.
type world struct {
	stdout, stderr bool // whether they are terminals
	columns        int
	env            map[string]string
}

// runIn calls the program with terminals.
func runIn(t *testing.T, w world, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Main(t.Context(), args, IO{
		Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs,
		StdoutIsTerminal: w.stdout, StderrIsTerminal: w.stderr, Columns: w.columns,
		LookupEnv: func(name string) (string, bool) { v, ok := w.env[name]; return v, ok },
	}, sinks.Builtin())
	return code, out.String(), errs.String()
}

func widestLine(s string) int {
	widest := 0
	for line := range strings.Lines(s) {
		widest = max(widest, len([]rune(strings.TrimSuffix(line, "\n"))))
	}
	return widest
}

var sgr = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestAnalyzeTerminal(t *testing.T) {
	for _, c := range []struct {
		name  string
		w     world
		args  []string
		color bool
		width int // 0 for no page of text
	}{
		{"by default", world{stdout: true, columns: 90}, nil, true, 90},
		{"width not known", world{stdout: true}, nil, true, 100},
		{"narrow", world{stdout: true, columns: 20}, nil, true, 60},
		{"wide", world{stdout: true, columns: 300}, nil, true, 120},
		{"COLUMNS", world{stdout: true, columns: 90, env: map[string]string{"COLUMNS": "70"}}, nil, true, 70},
		{"COLUMNS is nonsense", world{stdout: true, columns: 90, env: map[string]string{"COLUMNS": "-1"}}, nil, true, 90},
		{"NO_COLOR", world{stdout: true, columns: 90, env: map[string]string{"NO_COLOR": "1"}}, nil, false, 90},
		{"NO_COLOR is empty", world{stdout: true, columns: 90, env: map[string]string{"NO_COLOR": ""}}, nil, true, 90},
		{"dumb", world{stdout: true, columns: 90, env: map[string]string{"TERM": "dumb"}}, nil, false, 90},
		{"CLICOLOR", world{stdout: true, columns: 90, env: map[string]string{"CLICOLOR": "0"}}, nil, false, 90},
		{"asked for text", world{stdout: true, columns: 90}, []string{"-o", "text"}, true, 90},
		{"asked for Markdown", world{stdout: true, columns: 90}, []string{"-o", "markdown"}, false, 0},
		{"asked for JSON", world{stdout: true, columns: 90}, []string{"-o", "json"}, false, 0},
		{"text behind a pipe", world{columns: 90, env: map[string]string{"COLUMNS": "70"}}, []string{"-o", "text"}, false, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, _ := runIn(t, c.w, hitLine+"\n", append([]string{"analyze"}, c.args...)...)
			if code != 0 {
				t.Fatalf("exit status %d", code)
			}
			if got := strings.Contains(stdout, "\x1b["); got != c.color {
				t.Errorf("colours: %v, want %v in %.200q", got, c.color, stdout)
			}
			page, _, _ := strings.Cut(sgr.ReplaceAllString(stdout, ""), "\nDo now\n") // commands keep their lines
			if got := widestLine(page); c.width > 0 && got != c.width {
				t.Errorf("%d columns, want %d in\n%s", got, c.width, page)
			}
			if strings.Contains(sgr.ReplaceAllString(stdout, ""), "\x1b") || strings.Contains(stdout, "\u202e") {
				t.Errorf("an escape that is not ours in %q", stdout)
			}
		})
	}
}

func TestAnalyzeTally(t *testing.T) {
	input := strings.Join([]string{hitLine, missLine, "text", hitLine, fdLine}, "\n")
	_, _, stderr := runIn(t, world{stderr: true}, input, "analyze")
	_, table, _ := strings.Cut(stderr, "\n\n")
	want := `Alerts              4
Fileless execution  3
  memfd_exec        2
  fd_exec           1
By verdict
  suspicious        3
Malformed lines     1
`
	if diff := cmp.Diff(want, table); diff != "" {
		t.Errorf("(-want +got) %s", diff)
	}
	_, _, stderr = runIn(t, world{stderr: true}, missLine, "analyze")
	if diff := cmp.Diff("\nAlerts              1\nFileless execution  0\nMalformed lines     0\n", stderr); diff != "" {
		t.Errorf("(-want +got) %s", diff)
	}
}

const fdLine = `{"hostname":"h","output_fields":{"evt.type":"execve","evt.arg.filename":"/proc/self/fd/3"},"rule":"r","time":"2026-11-23T12:00:00Z"}`

type explained struct {
	Matched bool
	Line    int
	ID      string
	Error   string
	Explain []struct {
		Predicate, Met string
		Conditions     []struct {
			Condition, State string
			Fields           map[string]*string
		}
	}
}

func TestAnalyzeExplainJSON(t *testing.T) {
	code, stdout, _ := run(t, strings.Join([]string{hitLine, missLine, "text"}, "\n"), "analyze", "--explain")
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if code != 3 || len(lines) != 3 {
		t.Fatalf("exit status %d\n%s", code, stdout)
	}
	hit, missed, bad := decode[explained](t, lines[0]), decode[explained](t, lines[1]), decode[explained](t, lines[2])
	if !hit.Matched || hit.Explain[0].Predicate != "memfd_image" || hit.Explain[0].Met != "held" {
		t.Errorf("%+v", hit)
	}
	fields := hit.Explain[0].Conditions[1].Fields
	if *fields["proc.exepath"] != "memfd:a" || fields["evt.arg.flags"] != nil || len(fields) != 3 {
		t.Errorf("fields %v", fields)
	}
	if decode[report.Report](t, lines[0]).Technique != "memfd_exec" {
		t.Errorf("no report: %s", lines[0])
	}
	if missed.Matched || missed.Line != 2 || missed.ID == "" || len(missed.Explain) != len(hit.Explain) {
		t.Errorf("%+v", missed)
	}
	if bad.Error == "" || bad.Explain != nil {
		t.Errorf("%+v", bad)
	}
	// Without it nothing changes.
	_, plain, _ := run(t, hitLine, "analyze", "--all")
	received := regexp.MustCompile(`"created_at":"[^"]*"`)
	_, after, _ := strings.Cut(lines[0], `],"id":`)
	if diff := cmp.Diff(received.ReplaceAllString(plain, ""), received.ReplaceAllString(`{"matched":true,"id":`+after+"\n", "")); diff != "" {
		t.Errorf("the report differs: %s", diff)
	}
}

func TestAnalyzeExplainPages(t *testing.T) {
	near := `{"rule":"grep \u001b[31m","output_fields":{"evt.type":"execve","proc.name":"grep","proc.exepath":"/usr/bin/grep","proc.cmdline":"grep memfd_create( x"},"time":"2026-11-23T12:00:00Z"}`
	input := strings.Join([]string{near, hitLine}, "\n")
	_, markdown, _ := run(t, input, "analyze", "--explain", "-o", "markdown")
	for _, want := range []string{
		"# No Match: grep \\\\x1b\\[31m\n", "| Read from | `-:1` |", "| `loader_code`, of interpreter_loader, **nearly** |",
		"| | an interpreter or dd is told to do that | **no** |", "\n# Alert Analysis Report", "\n## Predicates\n", "| `memfd_image`, of memfd_exec, **held** |",
	} {
		if !strings.Contains(markdown, want) {
			t.Errorf("no %q in\n%s", want, markdown)
		}
	}
	_, styled, _ := runIn(t, world{stdout: true, columns: 80}, input, "analyze", "--explain")
	if !strings.HasPrefix(styled, "\x1b[1mNo Match: grep \\x1b[31m\x1b[0m\n") || !strings.Contains(styled, "\x1b[1mPREDICATES\x1b[0m") {
		t.Errorf("%s", styled)
	}
	if widest := widestLine(sgr.ReplaceAllString(styled[strings.LastIndex(styled, "PREDICATES"):], "")); widest > 80 {
		t.Errorf("%d columns", widest)
	}
}

func TestAnalyzeMachineFormats(t *testing.T) {
	for format, want := range map[string]string{"ocsf": `{"activity_id":1,`, "ecs": `{"@timestamp":"2026-11-23T12:00:00.000000000Z",`} {
		code, stdout, _ := run(t, hitLine+"\n"+missLine+"\n"+hitLine, "analyze", "-o", format)
		lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
		if code != 0 || len(lines) != 2 || !strings.HasPrefix(lines[1], want) {
			t.Errorf("%s: exit status %d\n%s", format, code, stdout)
		}
	}
}

func TestAnalyzeCombinations(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"-d x -o json", "-d needs -o html"},
		{"-d x --all", "--all needs -o json"},
		{"--all -o ecs", "--all needs -o json"},
		{"--explain -o html", "--explain needs -o json, markdown or text"},
		{"--explain -d x", "--explain needs -o json, markdown or text"},
		{"--explain -o ocsf", "--explain needs -o json, markdown or text"},
	} {
		code, stdout, stderr := run(t, hitLine, append([]string{"analyze"}, strings.Fields(c.args)...)...)
		if code != 2 || stdout != "" || stderr != "filelessd: "+c.says+"\n" {
			t.Errorf("%s: exit status %d: %s%s", c.args, code, stdout, stderr)
		}
	}
	if _, err := os.Stat("x"); err == nil {
		t.Error("a directory was made although nothing was read")
	}
}

//go:build integration

package cli

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/filelessd/filelessd/internal/testprogram"
	"github.com/filelessd/filelessd/pkg/report"
)

// TestIntegrationSQLite reads the log with sqlite3 while alerts are posted: as the README shows it,
// again and again, and by one who keeps a transaction open all the while. Neither side may notice
// the other.
func TestIntegrationSQLite(t *testing.T) {
	sqlite := testprogram.Find(t, "sqlite3", "sqlite3")
	receiver := newReceiver(t)
	d := newDaemon(t, receiver.URL, "")
	p := d.run()
	db := filepath.Join(d.dir, "data", "filelessd.db")
	const n, before = 1500, 100
	lines, ids := alerts(t, n)
	d.postAll(lines[:before])

	long := openShell(t, sqlite, db)
	if got := long.ask("BEGIN; SELECT count(*) FROM record_text;"); got != strconv.Itoa(before) {
		t.Fatalf("the first reader sees %s records, want %d", got, before)
	}
	posted := postAtOnce(d, lines[before:])
	queries, last := 0, before
	for done := false; !done; queries++ {
		select {
		case <-posted:
			done = true // and one look more
		default:
		}
		out, stderr := outputOf(t, sqlite, db, "SELECT count(*) FROM record_text WHERE json_valid(body)")
		count, err := strconv.Atoi(strings.TrimSpace(out))
		if err != nil || stderr != "" || count < last {
			t.Fatalf("after %d records sqlite3 says %q, %q", last, out, stderr)
		}
		last = count
	}
	t.Logf("%d queries while %d alerts were posted", queries, n-before)
	if last != n {
		t.Errorf("%d records at the end, want %d", last, n)
	}
	if got := long.ask("SELECT count(*) FROM record_text;"); got != strconv.Itoa(before) {
		t.Errorf("the open transaction sees %s records, want %d as at its beginning", got, before)
	}
	if got := long.ask("COMMIT; SELECT count(*) FROM record_text;"); got != strconv.Itoa(n) {
		t.Errorf("after its transaction the first reader sees %s records, want %d", got, n)
	}

	checkRecords(t, sqlite, db, ids)
	waitFor(t, "all reports", func() bool { distinct, _ := receiver.got(); return distinct == n })
	if _, repeated := receiver.got(); repeated != 0 || len(receiver.missing(ids)) != 0 {
		t.Errorf("%d reports are missing, %d came again", len(receiver.missing(ids)), repeated)
	}
	p.signal(syscall.SIGTERM)
	if p.code() != 0 {
		t.Errorf("the daemon ended with %d", p.code())
	}
	for line := range strings.Lines(p.complains()) {
		// A disk that others use too can take its time; what a reader might do is an error of SQLite.
		if !strings.Contains(line, "storing takes longer than a sender can wait; it goes on") {
			t.Errorf("the daemon said %s", line)
		}
	}
}

// checkRecords compares what the README's query shows with the alerts that were posted.
func checkRecords(t *testing.T, sqlite, db string, ids []string) {
	t.Helper()
	if out, _ := outputOf(t, sqlite, db, "PRAGMA integrity_check"); out != "ok\n" {
		t.Errorf("integrity_check: %s", out)
	}
	out, _ := outputOf(t, sqlite, "-json", db, "select * from record_text")
	rows := decode[[]struct {
		Seq                    int
		Appended, At, ID, Body string
	}](t, out)
	seen := map[string]bool{}
	for _, row := range rows {
		r := decode[report.Report](t, row.Body)
		if row.ID != r.ID || !strings.HasPrefix(row.At, "20") || !strings.HasPrefix(row.Appended, "20") {
			t.Fatalf("record %d: %q at %q, appended %q, holds report %s", row.Seq, row.ID, row.At, row.Appended, r.ID)
		}
		seen[row.ID] = true
	}
	for _, id := range ids {
		if !seen[id] {
			t.Errorf("%s is not in the log", id)
		}
	}
}

// postAtOnce posts alerts from several clients, again what was not accepted. The channel closes when
// all were.
func postAtOnce(d *testDaemon, lines [][]byte) <-chan struct{} {
	work := make(chan []byte, len(lines))
	for _, line := range lines {
		work <- line
	}
	close(work)
	var posters sync.WaitGroup
	for range 4 {
		posters.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for line := range work {
				for !d.post(client, line) && d.t.Context().Err() == nil {
				}
			}
		})
	}
	done := make(chan struct{})
	go func() {
		posters.Wait()
		close(done)
	}()
	return done
}

// A shell is sqlite3 with somebody typing.
type shell struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Reader
}

func openShell(t *testing.T, sqlite, db string) *shell {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), sqlite, "-batch", db) // ends with its input
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("sqlite3: %v", err)
		}
	})
	return &shell{t, in, bufio.NewReader(out)}
}

// ask types a line and returns the next line of the answer.
func (s *shell) ask(line string) string {
	s.t.Helper()
	if _, err := io.WriteString(s.in, line+"\n"); err != nil {
		s.t.Fatal(err)
	}
	answer, err := s.out.ReadString('\n')
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(answer)
}

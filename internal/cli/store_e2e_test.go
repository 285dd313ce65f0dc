package cli

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/filelessd/filelessd/internal/app"
	"github.com/filelessd/filelessd/internal/store"
)

// checkStore runs store check, and wants its exit status.
func (d *testDaemon) checkStore(want int) (found app.StoreCheck, text string) {
	d.t.Helper()
	t, ok := d.t.(*testing.T)
	if !ok {
		d.t.Fatal("not a test")
	}
	code, text, stderr := run(t, "", "store", "check", "-c", d.config)
	if code != want || stderr != "" {
		t.Fatalf("store check: %d, want %d; %s%s", code, want, text, stderr)
	}
	code, doc, stderr := run(t, "", "store", "check", "-o", "json", "-c", d.config)
	if code != want || stderr != "" {
		t.Fatalf("store check -o json: %d, want %d; %s%s", code, want, doc, stderr)
	}
	if found = decode[app.StoreCheck](t, doc); found.OK != (want == exitOK) {
		t.Errorf("%+v", found)
	}
	return found, text
}

// change rewrites the log of a daemon that does not run.
func (d *testDaemon) change(f func([]byte)) (path string, data []byte) {
	d.t.Helper()
	path = filepath.Join(d.dir, "data", "filelessd.db")
	data, err := os.ReadFile(path)
	if err != nil {
		d.t.Fatal(err)
	}
	f(data)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		d.t.Fatal(err)
	}
	return path, data
}

// TestStoreCheck: the log is looked at beside a daemon and without one; what is damaged is named, and
// left as it is for the daemon, which goes on with what can be read.
func TestStoreCheck(t *testing.T) {
	receiver := newReceiver(t)
	d := newDaemon(t, receiver.URL, "")
	if code, _, stderr := run(t, "", "store", "check", "-c", d.config); code != exitFailed || !strings.Contains(stderr, "there is no log in") {
		t.Errorf("%d %s", code, stderr)
	}
	p := d.run()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	const n = 300
	lines, ids := alerts(t, n)
	for _, line := range lines {
		if !d.post(client, line) {
			t.Fatal("not accepted")
		}
	}
	waitFor(t, "the reports", func() bool { return len(receiver.missing(ids)) == 0 })
	if found, text := d.checkStore(exitOK); found.Records != n || found.Cursors != 1 || !strings.Contains(text, "300 records with ") || !strings.HasSuffix(text, "can be read: all is whole\n") {
		t.Errorf("%+v; %s", found, text)
	}
	p.signal(syscall.SIGTERM)
	if found, _ := d.checkStore(exitOK); found.Records != n {
		t.Errorf("without a daemon: %+v", found)
	}

	// A flipped bit in a record.
	d.change(func(b []byte) { b[bytes.LastIndex(b, []byte("4 --n 7"))] ^= 1 })
	found, text := d.checkStore(exitInput)
	if found.Records != n-1 || found.Damaged != 1 || len(found.Findings) != 1 || !strings.Contains(text, "the checksum does not match\n") || !strings.HasSuffix(text, ": DAMAGED\n") {
		t.Errorf("%+v; %s", found, text)
	}
	p = d.run()
	if live, _ := d.checkStore(exitInput); live.Damaged != 1 || live.Findings[0] != found.Findings[0] {
		t.Errorf("beside the daemon: %+v, without: %+v", live, found)
	}
	p.signal(syscall.SIGTERM)

	// A file that is no database any more.
	path, damaged := d.change(func(b []byte) { clear(b[:100]) })
	if found, _ := d.checkStore(exitInput); len(found.Findings) != 1 || !strings.Contains(found.Findings[0].What, "the daemon rebuilds it when it starts") {
		t.Errorf("%+v", found)
	}
	if code, _, stderr := run(t, "", "store", "compact", "-c", d.config); code != exitFailed || !strings.Contains(stderr, path+" is damaged") {
		t.Errorf("compact: %d %s", code, stderr)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, damaged) {
		t.Errorf("a look has changed the file, %v", err)
	}
	p = d.run()
	if found, _ := d.checkStore(exitOK); found.Lost != 1 || found.Records < n-1 {
		t.Errorf("rebuilt: %+v", found)
	}
	p.signal(syscall.SIGTERM)
	if !strings.Contains(p.logged(), "has been rebuilt: ") || p.code() != 0 {
		t.Errorf("exit status %d", p.code())
	}
}

// TestStoreCompact: room is given back beside a daemon that takes alerts, and without one.
func TestStoreCompact(t *testing.T) {
	receiver := newReceiver(t)
	d := newDaemon(t, receiver.URL, "")
	p := d.run()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	lines, ids := alerts(t, 400)
	accept := func(lines [][]byte) {
		for _, line := range lines {
			if !d.post(client, line) {
				t.Error("not accepted")
			}
		}
	}
	accept(lines[:200])
	waitFor(t, "the reports", func() bool { return len(receiver.missing(ids[:200])) == 0 })
	p.signal(syscall.SIGTERM)
	path := filepath.Join(d.dir, "data", "filelessd.db")
	log, err := store.Open(t.Context(), filepath.Dir(path), store.Config{MaxBytes: 1 << 30, OnFull: "refuse"}) // no retention
	if err != nil {
		t.Fatal(err)
	}
	stats := func() store.Stats {
		s, err := log.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	waitFor(t, "the records to go", func() bool { return stats().Records == 0 })
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if text := mustRun(t, "store", "compact", "-c", d.config); !strings.Contains(text, " on disk, was ") {
		t.Error(text)
	}
	if after, err := os.Stat(path); err != nil || after.Size() > before.Size()/2 {
		t.Errorf("%d bytes without a record, were %d with what 200 took; %v", after.Size(), before.Size(), err)
	}
	p = d.run()
	done := make(chan struct{})
	go func() {
		defer close(done)
		accept(lines[200:])
	}()
	beside := decode[store.CompactReport](t, mustRun(t, "store", "compact", "-o", "json", "-c", d.config))
	<-done
	if beside.Before == 0 || beside.After == 0 {
		t.Errorf("beside a daemon: %+v", beside)
	}
	waitFor(t, "the reports", func() bool { return len(receiver.missing(ids)) == 0 })
	p.signal(syscall.SIGTERM)
	if found, _ := d.checkStore(exitOK); found.Records != 200 {
		t.Errorf("%+v", found)
	}
}

// TestCheckShowsText: what a finding quotes may be what an attacker wrote.
func TestCheckShowsText(t *testing.T) {
	var out bytes.Buffer
	p := &program{IO: IO{Stdout: &out}}
	c := app.StoreCheck{CheckReport: store.CheckReport{Findings: []store.Finding{{What: "state \x1b[2J\r\u202e of a sink"}}, More: 3}}
	if err := p.writeCheck(c); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\r\u202e") || !strings.Contains(out.String(), "and 3 more like these\n") {
		t.Errorf("%q", out.String())
	}
}

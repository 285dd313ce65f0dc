//go:build integration

package render_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// browser is a Chromium without a window, spoken to through two pipes by the Chrome DevTools
// Protocol. It has one page. Its only way into a network is a proxy that refuses and remembers.
type browser struct {
	t       testing.TB
	in      io.Writer
	session string
	canary  *canary

	mu      sync.Mutex
	changed *sync.Cond
	last    int
	answers map[int]message
	events  []message
	ended   error
}

type message struct {
	ID        int             `json:"id,omitempty"`
	Method    string          `json:"method,omitempty"`
	Params    json.RawMessage `json:"params,omitempty"`
	SessionID string          `json:"sessionId,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Error     json.RawMessage `json:"error,omitempty"`
}

// newBrowser starts Debian's chromium.
func newBrowser(t testing.TB) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("FILELESSD_INTEGRATION") == "1" {
			t.Fatalf("FILELESSD_INTEGRATION=1 asks for chromium: %v", err)
		}
		t.Skipf("no browser (apt-get install chromium): %v", err)
	}
	b := &browser{t: t, answers: map[int]message{}, canary: newCanary(t)}
	b.changed = sync.NewCond(&b.mu)
	commandsOut, commandsIn := pipe(t)
	eventsOut, eventsIn := pipe(t)
	b.in = commandsIn
	profile, err := os.MkdirTemp("", "filelessd-browser-")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--remote-debugging-pipe", "--user-data-dir="+profile,
		"--proxy-server=http://"+b.canary.address, "--proxy-bypass-list=<-loopback>",
		"--disable-background-networking", "--disable-component-update", "--disable-default-apps",
		"--disable-extensions", "--disable-sync", "--no-first-run", "--no-pings", "--disable-features=PreconnectToSearch,OptimizationHints,OptimizationGuideModelDownloading,OptimizationGuideFetchingForSRP")
	cmd.ExtraFiles = []*os.File{commandsOut, eventsIn} // as descriptors 3 and 4
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.mu.Lock()
		b.session = ""
		b.mu.Unlock()
		b.send("Browser.close", nil)
		hung := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		hung.Stop()
		_ = os.RemoveAll(profile) // not t.TempDir, which fails a test if a helper process is still writing
	})
	commandsOut.Close()
	eventsIn.Close()
	go b.read(eventsOut)

	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Network", "Runtime"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

func pipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// read takes in what the browser says, message by message, each of which ends in a NUL.
func (b *browser) read(r io.Reader) {
	messages := bufio.NewReader(r)
	for {
		line, err := messages.ReadBytes(0)
		var m message
		if err == nil {
			err = json.Unmarshal(bytes.TrimSuffix(line, []byte{0}), &m)
		}
		b.mu.Lock()
		switch {
		case err != nil:
			b.ended = err
		case m.ID != 0:
			b.answers[m.ID] = m
		default:
			b.events = append(b.events, m)
		}
		b.changed.Broadcast()
		b.mu.Unlock()
		if err != nil {
			return
		}
		if m.Method == "Page.javascriptDialogOpening" { // or the page stands still
			b.send("Page.handleJavaScriptDialog", map[string]any{"accept": false})
		}
	}
}

func (b *browser) send(method string, params any) (id int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	data, err := json.Marshal(map[string]any{"id": b.last, "method": method, "params": params, "sessionId": b.session})
	if b.session == "" {
		data, err = json.Marshal(map[string]any{"id": b.last, "method": method, "params": params})
	}
	if err == nil {
		_, err = b.in.Write(append(data, 0))
	}
	if err != nil && b.ended == nil {
		b.ended = err
	}
	return b.last
}

// call waits for the answer.
func (b *browser) call(method string, params, result any) {
	b.t.Helper()
	id := b.send(method, params)
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.answers[id].ID == 0 {
		if b.ended != nil {
			b.t.Fatalf("%s: %v", method, b.ended)
		}
		b.changed.Wait()
	}
	m := b.answers[id]
	if m.Error != nil {
		b.t.Fatalf("%s: %s", method, m.Error)
	}
	if result != nil {
		if err := json.Unmarshal(m.Result, result); err != nil {
			b.t.Fatalf("%s: %v", method, err)
		}
	}
}

// open shows a page from a file, waits until it and all that it asks for is loaded and drawn, and
// returns what happened.
func (b *browser) open(page []byte) (seen sighting) {
	b.t.Helper()
	file := filepath.Join(b.t.TempDir(), "page.html")
	if err := os.WriteFile(file, page, 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.canary.visits()
	b.mu.Lock()
	b.events = nil
	b.mu.Unlock()
	b.call("Page.navigate", map[string]any{"url": "file://" + file}, nil)
	b.await("Page.loadEventFired")
	b.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))", new(int))
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		switch e.Method {
		case "Page.javascriptDialogOpening":
			seen.dialogs = append(seen.dialogs, string(e.Params))
		case "Network.requestWillBeSent":
			var p struct{ Request struct{ URL string } }
			if err := json.Unmarshal(e.Params, &p); err != nil {
				b.t.Fatal(err)
			}
			if p.Request.URL != "file://"+file {
				seen.requests = append(seen.requests, p.Request.URL)
			}
		}
	}
	seen.visits = b.canary.visits()
	return seen
}

// sighting is what a page did beyond being shown.
type sighting struct{ dialogs, requests, visits []string }

func (b *browser) await(event string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		for _, e := range b.events {
			if e.Method == event {
				return
			}
		}
		if b.ended != nil {
			b.t.Fatalf("waiting for %s: %v", event, b.ended)
		}
		b.changed.Wait()
	}
}

// evaluate runs an expression in the page, as an inspector does: no policy of the page forbids it.
func (b *browser) evaluate(expression string, result any) {
	b.t.Helper()
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &r)
	if r.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", expression, r.ExceptionDetails)
	}
	if err := json.Unmarshal(r.Result.Value, result); err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
}

// device sets the width of the screen and whether it is dark.
func (b *browser) device(width, height int, dark bool) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{
		"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
	}, nil)
	scheme := map[bool]string{true: "dark", false: "light"}[dark]
	b.call("Emulation.setEmulatedMedia", map[string]any{
		"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}},
	}, nil)
}

// data calls a method that answers with a file.
func (b *browser) data(method string, params any) []byte {
	b.t.Helper()
	var r struct{ Data string }
	b.call(method, params, &r)
	data, err := base64.StdEncoding.DecodeString(r.Data)
	if err != nil {
		b.t.Fatal(err)
	}
	return data
}

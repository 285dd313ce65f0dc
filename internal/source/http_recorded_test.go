package source

import (
	"bufio"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHTTPRecordedRequests(t *testing.T) {
	alerts := readLines(t, recordings+"http-json.file-output.jsonl")
	f := runHTTP(t, HTTPConfig{Listen: "127.0.0.1:0"})
	answers := replay(t, f.Addr(), recordings+"http-json.http-requests", len(alerts))
	for i, a := range answers {
		if a.status != http.StatusOK {
			t.Errorf("request %d: %d", i, a.status)
		}
	}
	if diff := cmp.Diff(idsOf(t, alerts), f.ids()); diff != "" {
		t.Errorf("IDs (-file_output +http_output):\n%s", diff)
	}
}

func TestHTTPRecordedRequestsWithTE(t *testing.T) {
	f := runHTTP(t, HTTPConfig{Listen: "127.0.0.1:0"})
	for i, a := range replay(t, f.Addr(), recordings+"http-json-compress.http-requests", 2) {
		if a.status != http.StatusOK {
			t.Errorf("request %d: %d", i, a.status)
		}
	}
	if n := len(f.ids()); n != 2 {
		t.Errorf("%d alerts, want 2", n)
	}
}

func TestHTTPRecordedText(t *testing.T) {
	f := runHTTP(t, HTTPConfig{Listen: "127.0.0.1:0"})
	for i, a := range replay(t, f.Addr(), recordings+"http-text.http-requests", 3) {
		if a.status != http.StatusBadRequest || !strings.Contains(a.body, "json_output: true") {
			t.Errorf("request %d: %d: %s", i, a.status, a.body)
		}
	}
	if len(f.ids()) != 0 || f.rejected.of(ReasonText) != 3 {
		t.Errorf("%d alerts taken, rejected %v", len(f.ids()), f.rejected.all())
	}
	if s := f.Status(); !strings.Contains(s.LastError, "json_output: true") {
		t.Errorf("status: %+v", s)
	}
}

// replay writes the bytes of a recording to one connection, and returns n answers.
func replay(t *testing.T, to net.Addr, recording string, n int) []reply {
	t.Helper()
	raw, err := os.ReadFile(recording)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := new(net.Dialer).DialContext(t.Context(), to.Network(), to.String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write(raw); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	answers := make([]reply, n)
	for i := range answers {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		if answers[i], err = readReply(res); err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		_ = res.Body.Close()
	}
	return answers
}

func readLines(t testing.TB, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

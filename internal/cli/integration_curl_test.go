//go:build integration

package cli

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/filelessd/filelessd/internal/testprogram"
)

// TestIntegrationCurl posts alerts with curl, which Falco's http_output is made of too.
func TestIntegrationCurl(t *testing.T) {
	curl := testprogram.Find(t, "curl", "curl")
	certs := newCertificates(t)
	for _, c := range []struct {
		name, source, scheme string
		args                 []string
	}{
		{"token", "token: s3cret-t0ken", "http", nil},
		{"token and TLS", "token: s3cret-t0ken, tls: {cert_file: " + certs.cert + ", key_file: " + certs.key + "}", "https", []string{"--cacert", certs.ca}},
	} {
		t.Run(c.name, func(t *testing.T) {
			receiver := newReceiver(t)
			d := newDaemon(t, receiver.URL, "")
			d.edit("listen: "+d.hook, "listen: "+d.hook+", "+c.source)
			p := d.run()
			lines, ids := alerts(t, 8)
			post := func(line []byte, url string, args ...string) (code int, status, body string) {
				return curlPost(t, curl, line, url, append(args, c.args...)...)
			}
			url := c.scheme + "://" + d.hook + "/"
			for i, attempt := range []struct {
				name, url string
				args      []string
				want      string
			}{
				{"bearer token", url, []string{"-H", "Authorization: Bearer s3cret-t0ken"}, "200"},
				{"in the URL, as Falco has it", strings.Replace(url, "://", "://falco:s3cret-t0ken@", 1), nil, "200"},
				{"any path", url + "falco/alerts?x=y", []string{"-u", "anybody:s3cret-t0ken"}, "200"},
				{"wrong token", url, []string{"-H", "Authorization: Bearer s3cret-t0keN"}, "401"},
				{"wrong password", url, []string{"-u", "falco:s3cret"}, "401"},
				{"no token", url, nil, "401"},
				{"empty token", url, []string{"-H", "Authorization: Bearer "}, "401"},
			} {
				code, status, body := post(lines[i], attempt.url, attempt.args...)
				if code != 0 || status != attempt.want {
					t.Errorf("%s: curl %d, status %s, want %s: %s", attempt.name, code, status, attempt.want, body)
				}
				if strings.Contains(body, "s3cret") {
					t.Errorf("%s: the answer shows the token: %s", attempt.name, body)
				}
			}
			if c.scheme == "https" {
				checkNoTrust(t, curl, lines[7], d.hook)
			}
			waitFor(t, "the accepted ones", func() bool { n, _ := receiver.got(); return n >= 3 })
			if got := d.metric(`filelessd_alerts_received_total{source="hook"}`); got != "3" || len(receiver.missing(ids[:3])) != 0 {
				t.Errorf("%s alerts were received, want the 3 with the token", got)
			}
			if got := d.metric(`filelessd_alerts_rejected_total{reason="unauthorized",source="hook"}`); got != "4" {
				t.Errorf("%s requests counted as unauthorized, want 4", got)
			}
			p.signal(syscall.SIGTERM)
			if strings.Contains(p.logged(), "s3cret") {
				t.Error("the log shows the token")
			}
		})
	}
}

// checkNoTrust: curl does not talk to a server whose authority it does not know, and the server does
// not answer without TLS.
func checkNoTrust(t *testing.T, curl string, line []byte, address string) {
	t.Helper()
	const notVerified = 60 // of curl's exit codes
	if code, status, _ := curlPost(t, curl, line, "https://"+address, "-u", "falco:s3cret-t0ken"); code != notVerified {
		t.Errorf("without the authority: curl %d, status %s", code, status)
	}
	if _, status, body := curlPost(t, curl, line, "http://"+address, "-u", "falco:s3cret-t0ken"); status != "400" {
		t.Errorf("without TLS: status %s, %s", status, body)
	}
}

// curlPost returns curl's exit code, the status and the body of the answer.
func curlPost(t *testing.T, curl string, line []byte, url string, args ...string) (code int, status, body string) {
	t.Helper()
	dir := t.TempDir()
	alert, answer := filepath.Join(dir, "alert"), filepath.Join(dir, "answer")
	if err := os.WriteFile(alert, line, 0o600); err != nil {
		t.Fatal(err)
	}
	args = append([]string{
		"-sS", "--noproxy", "*", "--max-time", "30", "-o", answer, "-w", "%{http_code}",
		"-H", "Content-Type: application/json", "--data-binary", "@" + alert,
	}, args...)
	code, status, stderr := runProgram(t, curl, append(args, url)...)
	data, err := os.ReadFile(answer)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return code, status, string(data) + stderr
}

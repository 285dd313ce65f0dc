package s3

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/filelessd/filelessd/internal/sinks/internal/fixture"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func config(url sink.Secret, files sink.TLS) Config {
	c := Kind.Default()
	c.URL, c.TLS, c.Bucket, c.AccessKeyID, c.SecretAccessKey = url, files, "reports", accessKey, fixture.Secret
	return c
}

func openS3(t testing.TB, c Config) *storage {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := Kind.Open(context.Background(), c, fixture.Env())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.(*storage)
}

func TestConformance(t *testing.T) {
	for name, secure := range map[string]bool{"http": false, "https": true} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Harness {
				b := newBucket(t, secure)
				c := config(sink.Secret(b.Server.URL), b.TLS())
				c.Encryption = "AES256"
				h := b.Harness(func() (sink.Sink, error) { return Kind.Open(context.Background(), c, fixture.Env()) })
				h.Inert = func(r *report.Report, received []byte) error {
					for key := range b.objects {
						if !safeKey.MatchString(key) {
							return fmt.Errorf("key %q", key)
						}
					}
					return sinktest.CheckJSON(r, received)
				}
				return h
			})
		})
	}
}

var safeKey = regexp.MustCompile(`^filelessd/\d{4}/\d\d/\d\d/[A-Za-z0-9._-]{1,64}/[0-9a-f]{64}/report\.(json|md|html)$`)

func TestTroubles(t *testing.T) {
	var last *bucket
	twice := fixture.Troubles(t,
		func(secure bool) *fixture.Receiver { last = newBucket(t, secure); return last.Receiver },
		func(r *fixture.Receiver, files sink.TLS) sink.Sink {
			return openS3(t, config(sink.Secret(r.Server.URL), files))
		},
		http.StatusMovedPermanently)
	if len(twice) != 1 || len(last.objects) != 6 {
		t.Errorf("%d, %d objects", len(twice), len(last.objects))
	}
}

// An attempt that broke off is completed by the next, which writes nothing twice.
func TestCompletes(t *testing.T) {
	b := newBucket(t, false)
	inner := b.Server.Config.Handler
	broken := true
	b.Server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken && strings.HasSuffix(r.URL.Path, ".html") {
			refuse(w, http.StatusServiceUnavailable, "SlowDown")
			return
		}
		inner.ServeHTTP(w, r)
	})
	s := openS3(t, config(sink.Secret(b.Server.URL), sink.TLS{}))
	if err := s.Deliver(t.Context(), sinktest.Ordinary()); err == nil || len(b.objects) != 1 || !strings.Contains(err.Error(), "(SlowDown)") {
		t.Errorf("%d objects: %v", len(b.objects), err)
	}
	broken = false
	if err := s.Deliver(t.Context(), sinktest.Ordinary()); err != nil || len(b.objects) != 3 {
		t.Errorf("%d objects: %v", len(b.objects), err)
	}
	var last string
	for _, r := range b.Requests() {
		last = r
	}
	if !strings.HasSuffix(last, "/report.json") {
		t.Errorf("the last object is %s", last)
	}
}

// Storage that does not know conditions has the same objects under the same keys.
func TestWithoutConditions(t *testing.T) {
	b := newBucket(t, false)
	b.conditions = false
	s := openS3(t, config(sink.Secret(b.Server.URL), sink.TLS{}))
	for range 2 {
		if err := s.Deliver(t.Context(), sinktest.Ordinary()); err != nil {
			t.Error(err)
		}
	}
	if len(b.objects) != 3 || len(b.Requests()) != 7 { // one was refused
		t.Errorf("%d objects, %d requests", len(b.objects), len(b.Requests()))
	}
}

func TestCodes(t *testing.T) {
	for code, status := range map[string]int{
		"ExpiredToken": 400, "AuthorizationHeaderMalformed": 400, "RequestTimeout": 400, "PermanentRedirect": 301,
		"InvalidAccessKeyId": 403, "NoSuchBucket": 404, "ConditionalRequestConflict": 409, "SlowDown": 503,
	} {
		r := fixture.NewReceiver(t, false, func(w http.ResponseWriter, _ *http.Request, _ []byte) [][]byte { return refuse(w, status, code) })
		s := openS3(t, config(sink.Secret(r.Server.URL), sink.TLS{}))
		for what, err := range map[string]error{"deliver": s.Deliver(t.Context(), sinktest.Ordinary()), "probe": s.Probe(t.Context())} {
			if err == nil || sink.IsPermanent(err) || !strings.Contains(err.Error(), "("+code+")") {
				t.Errorf("%s %s: %v", what, code, err)
			}
		}
	}
	for code, status := range map[string]int{"EntityTooLarge": 400, "MetadataTooLarge": 400, "MethodNotAllowed": 405} {
		r := fixture.NewReceiver(t, false, func(w http.ResponseWriter, _ *http.Request, _ []byte) [][]byte { return refuse(w, status, code) })
		if err := openS3(t, config(sink.Secret(r.Server.URL), sink.TLS{})).Deliver(t.Context(), sinktest.Ordinary()); !sink.IsPermanent(err) {
			t.Errorf("%s: %v", code, err)
		}
	}
	r := fixture.NewReceiver(t, false, func(w http.ResponseWriter, _ *http.Request, _ []byte) [][]byte { return refuse(w, 403, "AccessDenied") })
	s := openS3(t, config(sink.Secret(r.Server.URL), sink.TLS{}))
	if err := s.Probe(t.Context()); err != nil {
		t.Errorf("a user who may not list: %v", err)
	}
	if err := s.Deliver(t.Context(), sinktest.Ordinary()); err == nil || sink.IsPermanent(err) {
		t.Error(err)
	}
}

func TestKeysAndHeaders(t *testing.T) {
	b := newBucket(t, false)
	c := config(sink.Secret(b.Server.URL), sink.TLS{})
	c.Encryption, c.KMSKeyID, c.Prefix, c.Formats = "aws:kms", "arn:aws:kms:x:1:key/2", "/a/b/", []string{"json", "ecs"}
	r := sinktest.Ordinary()
	if err := openS3(t, c).Deliver(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	folder := "a/b/2026/03/01/node-1/" + r.ID
	if got := slices.Sorted(maps.Keys(b.objects)); !slices.Equal(got, []string{folder + "/report.ecs.json", folder + "/report.json"}) {
		t.Errorf("got %q", got)
	}
	h := b.headers[folder+"/report.json"]
	for name, want := range map[string]string{
		"Content-Type": "application/json", "X-Amz-Server-Side-Encryption": "aws:kms", "If-None-Match": "*",
		"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "arn:aws:kms:x:1:key/2", "X-Amz-Meta-Filelessd-Verdict": "suspicious",
		"X-Amz-Meta-Filelessd-Score": "55", "X-Amz-Meta-Filelessd-Id": r.ID,
	} {
		if h.Get(name) != want {
			t.Errorf("%s: %s", name, h.Get(name))
		}
	}
	c.Addressing, c.URL = "virtual", "https://s3.example:8443/x"
	if base, err := c.base(); err != nil || string(base) != "https://reports.s3.example:8443/x" {
		t.Errorf("%s %v", string(base), err)
	}
}

func FuzzKey(f *testing.F) {
	f.Add("../../x", "..")
	f.Add("a/b\nc", "\x00\xff")
	f.Fuzz(func(t *testing.T, host, id string) {
		r := sinktest.Ordinary()
		r.Event.Hostname, r.ID = host, id
		key := Config{Prefix: "p"}.key(r)
		if parts := strings.Split(key, "/"); len(parts) != 6 || !regexp.MustCompile(`^[A-Za-z0-9._/-]+$`).MatchString(key) || len(key) > 200 ||
			slices.ContainsFunc(parts, func(p string) bool { return strings.Trim(p, ".") == "" }) {
			t.Errorf("%q", key)
		}
	})
}

// The objects, as they are read by eyes: keys, headers, beginnings.
func TestGolden(t *testing.T) {
	b := newBucket(t, false)
	s := openS3(t, config(sink.Secret(b.Server.URL), sink.TLS{}))
	var text bytes.Buffer
	samples := fixture.Samples(t)
	for _, name := range slices.Sorted(maps.Keys(samples)) {
		if err := s.Deliver(t.Context(), samples[name]); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		fmt.Fprintf(&text, "%s\n", key)
		h := b.headers[key]
		for _, name := range slices.Sorted(maps.Keys(h)) {
			if strings.HasPrefix(name, "X-Amz-Meta-") || name == "Content-Type" || name == "If-None-Match" {
				fmt.Fprintf(&text, "  %s: %s\n", name, h.Get(name))
			}
		}
		body := b.objects[key]
		fmt.Fprintf(&text, "  %.160q…\n", body)
	}
	fixture.Golden(t, "objects.txt", text.Bytes())
}

func BenchmarkDeliver(b *testing.B) {
	r := fixture.NewReceiver(b, false, func(http.ResponseWriter, *http.Request, []byte) [][]byte { return nil })
	fixture.Bench(b, openS3(b, config(sink.Secret(r.Server.URL), sink.TLS{})))
}

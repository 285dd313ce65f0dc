//go:build integration

package s3

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/internal/sinks/internal/fixture"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

// TestIntegrationVersityGW delivers to an S3 server that keeps objects as files, and reads the files.
func TestIntegrationVersityGW(t *testing.T) {
	program := fixture.Build(t, "receivers", "github.com/versity/versitygw/cmd/versitygw")
	root, sidecar, address := t.TempDir(), t.TempDir(), fixture.FreePort(t)
	if err := os.Mkdir(filepath.Join(root, "reports"), 0o700); err != nil {
		t.Fatal(err)
	}
	env := []string{"ROOT_ACCESS_KEY=" + accessKey, "ROOT_SECRET_KEY=" + fixture.Secret, "VGW_REGION=us-east-1"}
	stop := fixture.Start(t, address, env, program, "--port", address, "posix", "--sidecar", sidecar, root)

	c := config(sink.Secret("http://"+address), sink.TLS{})
	s := openS3(t, c)
	if err := s.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	sent := append(sinktest.Kinds(), sinktest.Hostile(), sinktest.Big(), fixture.Samples(t)["malicious-likely"])
	for range 2 { // the second time nothing is written
		for _, r := range sent {
			// This server now and then cuts the connection with its answer that an object is there; then
			// the report comes again, as from the queue.
			err := s.Deliver(t.Context(), r)
			for tries := 1; err != nil && !sink.IsPermanent(err) && tries < 5; tries++ {
				err = s.Deliver(t.Context(), r)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if s.plain.Load() {
		t.Error("the server knows no conditions")
	}
	files := 0
	err := filepath.WalkDir(filepath.Join(root, "reports"), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files++
			if key, _ := filepath.Rel(filepath.Join(root, "reports"), path); !safeKey.MatchString(key) {
				t.Errorf("key %q", key)
			}
		}
		return err
	})
	if err != nil || files != 3*len(sent) {
		t.Errorf("%d objects of %d reports: %v", files, len(sent), err)
	}
	formats := fixture.Env()
	for _, r := range sent {
		for _, format := range c.Formats {
			want, err := formats.Render(format, r)
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(root, "reports", c.key(r), objects[format].name))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s of %s: %d bytes, want %d: %v", format, r.Kind, len(got), len(want), err)
			}
		}
	}
	last := sent[len(sent)-1]
	list, _ := os.ReadDir(filepath.Join(root, "reports", c.key(last)))
	for _, f := range list {
		info, _ := f.Info()
		t.Logf("%s/%s %d bytes", c.key(last), f.Name(), info.Size())
	}

	wrong, nowhere := c, c
	wrong.SecretAccessKey, nowhere.Bucket = "wrong-"+fixture.Secret, "elsewhere"
	for want, c := range map[string]Config{"(SignatureDoesNotMatch)": wrong, "(NoSuchBucket)": nowhere} {
		s := openS3(t, c)
		for what, err := range map[string]error{"deliver": s.Deliver(t.Context(), last), "probe": s.Probe(t.Context())} {
			if err == nil || sink.IsPermanent(err) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), fixture.Secret) {
				t.Errorf("%s: want %s, got %v", what, want, err)
			}
			t.Logf("%s: %v", what, err)
		}
	}
	stop()
	if err := s.Deliver(t.Context(), last); err == nil || sink.IsPermanent(err) {
		t.Errorf("the server is gone: %v", err)
	}
}

package s3

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/filelessd/filelessd/internal/sinks/internal/fixture"
)

// bucket is a stand-in for S3, which signs each request again and compares, and knows If-None-Match. It is
// for what a real server does not do when it is asked.
type bucket struct {
	*fixture.Receiver
	t testing.TB

	mu         sync.Mutex
	objects    map[string][]byte
	headers    map[string]http.Header
	conditions bool // whether it knows them
}

const accessKey = "AKIAIOSFODNN7EXAMPLE"

func newBucket(t testing.TB, secure bool) *bucket {
	b := &bucket{t: t, objects: map[string][]byte{}, headers: map[string]http.Header{}, conditions: true}
	b.Receiver = fixture.NewReceiver(t, secure, b.take)
	return b
}

func refuse(w http.ResponseWriter, status int, code string) [][]byte {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<?xml version=\"1.0\"?>\n<Error><Code>%s</Code><Message>no</Message></Error>", code)
	return nil
}

func (b *bucket) take(w http.ResponseWriter, r *http.Request, body []byte) [][]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.signed(r, body) {
		return refuse(w, http.StatusForbidden, "SignatureDoesNotMatch")
	}
	key, ok := strings.CutPrefix(r.URL.Path, "/reports/")
	switch {
	case r.Method == http.MethodGet && r.URL.Path == "/reports" && r.URL.Query().Get("list-type") == "2":
		fmt.Fprint(w, "<ListBucketResult></ListBucketResult>")
		return nil
	case r.Method != http.MethodPut || !ok || key == "":
		return refuse(w, http.StatusNotFound, "NoSuchBucket")
	case r.Header.Get("If-None-Match") == "*" && !b.conditions:
		return refuse(w, http.StatusNotImplemented, "NotImplemented")
	case r.Header.Get("If-None-Match") == "*" && b.objects[key] != nil:
		return refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
	}
	b.objects[key], b.headers[key] = body, r.Header
	if strings.HasSuffix(key, "/report.json") {
		return [][]byte{body}
	}
	return nil
}

// signed makes the signature as the server would, from what arrived.
func (b *bucket) signed(r *http.Request, body []byte) bool {
	hash := sha256.Sum256(body)
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || r.Header.Get("X-Amz-Content-Sha256") != hex.EncodeToString(hash[:]) {
		return false
	}
	again := &http.Request{Method: r.Method, URL: r.URL, Host: r.Host, Header: http.Header{}}
	_, list, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
	list, _, _ = strings.Cut(list, ",")
	for name := range strings.SplitSeq(list, ";") {
		if name != "host" {
			again.Header[http.CanonicalHeaderKey(name)] = r.Header[http.CanonicalHeaderKey(name)]
		}
	}
	for name := range r.Header { // S3 wants all of these to be signed
		if strings.HasPrefix(name, "X-Amz-") && again.Header[name] == nil {
			return false
		}
	}
	signer{accessKey: accessKey, secretKey: fixture.Secret, region: "us-east-1", now: func() time.Time { return at }}.sign(again, hex.EncodeToString(hash[:]))
	return again.Header.Get("Authorization") == r.Header.Get("Authorization")
}

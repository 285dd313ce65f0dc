// Package s3 is the sink that stores reports as objects in Amazon S3, or in what speaks its protocol.
package s3

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/filelessd/filelessd/internal/sinks/internal/post"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Kind is the kind of sink.
var Kind = sink.Kind[Config]{
	Name:    "s3",
	Summary: "stores reports as objects in S3",
	Default: func() Config {
		return Config{
			Prefix: "filelessd", Region: "us-east-1", Addressing: "path", Formats: []string{"markdown", "html", "json"},
		}
	},
	Open: open,
}

func open(_ context.Context, c Config, env sink.Env) (sink.Sink, error) {
	base, err := c.base()
	if err != nil {
		return nil, err
	}
	client, err := post.New(base, c.TLS, env.Version, nil)
	if err != nil {
		return nil, err
	}
	return &storage{config: c, render: env.Render, client: client, signer: signer{
		accessKey: c.AccessKeyID, secretKey: string(c.SecretAccessKey), sessionToken: string(c.SessionToken),
		region: c.Region, now: time.Now,
	}}, nil
}

type storage struct {
	config Config
	render func(format string, r *report.Report) ([]byte, error)
	client *post.Client
	signer signer
	// plain says that the storage does not know conditions.
	plain atomic.Bool
}

// Deliver stores the objects of r, one after the other in the order of the configuration: who sees the
// last one knows that all are there. What is there from an attempt before is not written again.
func (s *storage) Deliver(ctx context.Context, r *report.Report) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	key := s.config.key(r)
	for _, format := range s.config.Formats {
		body, err := s.render(format, r)
		if err != nil {
			return sink.Permanent(err)
		}
		if err := s.put(ctx, key+"/"+objects[format].name, objects[format].mediaType, r, body); err != nil {
			return err
		}
	}
	return nil
}

// put stores one object, unless it is there.
func (s *storage) put(ctx context.Context, key, mediaType string, r *report.Report, body []byte) error {
	header := http.Header{}
	score := ""
	if r.Verdict != "" {
		score = strconv.Itoa(r.Score)
	}
	for name, value := range map[string]string{
		"X-Amz-Meta-Filelessd-Id":                     safe(r.ID),
		"X-Amz-Meta-Filelessd-Kind":                   safe(string(r.Kind)),
		"X-Amz-Meta-Filelessd-Verdict":                string(r.Verdict),
		"X-Amz-Meta-Filelessd-Severity":               string(r.Severity),
		"X-Amz-Meta-Filelessd-Score":                  score,
		"X-Amz-Server-Side-Encryption":                s.config.Encryption,
		"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": s.config.KMSKeyID,
	} {
		if value != "" {
			header.Set(name, value)
		}
	}
	conditional := !s.plain.Load()
	if conditional {
		header.Set("If-None-Match", "*")
	}
	if len(body) > unasked {
		// The storage can answer before it has the body, and some then cut the connection while it is sent,
		// so that the answer is lost.
		header.Set("Expect", "100-continue")
	}
	status, answer, err := s.do(ctx, post.Request{Method: http.MethodPut, Path: key, Type: mediaType, Body: body, Header: header})
	switch {
	case conditional && status == http.StatusPreconditionFailed:
		return nil // it is there
	case conditional && status == http.StatusNotImplemented:
		s.plain.Store(true)
		return s.put(ctx, key, mediaType, r, body) // which writes the same over it
	}
	return class(status, answer, err)
}

// unasked is how large a body is sent without asking first.
const unasked = 16 << 10

// do signs and sends a request.
func (s *storage) do(ctx context.Context, r post.Request) (int, []byte, error) {
	hash := sha256.Sum256(r.Body)
	r.Sign = func(req *http.Request) { s.signer.sign(req, hex.EncodeToString(hash[:])) }
	status, answer, err := s.client.Do(ctx, r)
	// What refuses a signature repeats what was signed.
	return status, answer, sink.Hide(err, sink.Secret(s.config.AccessKeyID), s.config.SecretAccessKey, s.config.SessionToken)
}

var errorCode = regexp.MustCompile(`<Code>([A-Za-z.]{1,64})</Code>`)

// codeOf is the code of an error, such as NoSuchBucket; empty if there is none.
func codeOf(answer []byte) string {
	if m := errorCode.FindSubmatch(answer); m != nil {
		return string(m[1])
	}
	return ""
}

// class says which refusals are not about the report: S3 uses 400 and redirects for credentials and
// settings as well.
func class(status int, answer []byte, err error) error {
	if err == nil {
		return nil
	}
	code := codeOf(answer)
	if code != "" {
		err = fmt.Errorf("%w (%s)", err, code)
	}
	switch code {
	case "ExpiredToken", "InvalidToken", "TokenRefreshRequired", "AuthorizationHeaderMalformed", "RequestTimeout", "IncompleteBody",
		"BadDigest", "XAmzContentSHA256Mismatch", "InvalidBucketName", "OperationAborted", "ConditionalRequestConflict":
		return sink.RetryAfter(err, 0)
	}
	switch status {
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect: // another region
		return sink.RetryAfter(err, 0)
	}
	return err
}

// Probe asks for the names of no objects. A user who may write and not list is no error.
func (s *storage) Probe(ctx context.Context) error {
	status, answer, err := s.do(ctx, post.Request{Method: http.MethodGet, Query: "list-type=2&max-keys=0"})
	if status == http.StatusForbidden && codeOf(answer) == "AccessDenied" {
		return nil
	}
	return class(status, answer, err)
}

// Close gives back idle connections.
func (s *storage) Close() error {
	s.client.Close()
	return nil
}

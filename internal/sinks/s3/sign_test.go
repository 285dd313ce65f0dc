package s3

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestSign has the examples that AWS publishes for signatures of S3 in a header.
func TestSign(t *testing.T) {
	s := signer{
		accessKey: accessKey, secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", region: "us-east-1",
		now: func() time.Time { return time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC) },
	}
	for _, tt := range []struct {
		method, target, body string
		header               http.Header
		signed, signature    string
	}{
		{
			"GET", "/test.txt", "", http.Header{"Range": {"bytes=0-9"}},
			"host;range;x-amz-content-sha256;x-amz-date", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
		},
		{
			"PUT", "/test$file.text", "Welcome to Amazon S3.",
			http.Header{"Date": {"Fri, 24 May 2013 00:00:00 GMT"}, "X-Amz-Storage-Class": {"REDUCED_REDUNDANCY"}},
			"date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class", "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
		},
		{
			"GET", "/?lifecycle", "", http.Header{},
			"host;x-amz-content-sha256;x-amz-date", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
		},
		{
			"GET", "/?max-keys=2&prefix=J", "", http.Header{},
			"host;x-amz-content-sha256;x-amz-date", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
		},
	} {
		u, err := url.Parse("https://examplebucket.s3.amazonaws.com" + tt.target)
		if err != nil {
			t.Fatal(err)
		}
		req := &http.Request{Method: tt.method, URL: u, Host: u.Host, Header: tt.header}
		hash := sha256.Sum256([]byte(tt.body))
		s.sign(req, hex.EncodeToString(hash[:]))
		want := "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=" + tt.signed + ",Signature=" + tt.signature
		if got := req.Header.Get("Authorization"); got != want {
			t.Errorf("%s %s\n got %s\nwant %s", tt.method, tt.target, got, want)
		}
	}
	req := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/"}, Header: http.Header{}}
	s.sessionToken = "temporary"
	s.sign(req, "")
	if req.Header.Get("X-Amz-Security-Token") != "temporary" || !strings.Contains(req.Header.Get("Authorization"), "x-amz-security-token") {
		t.Errorf("%v", req.Header)
	}
}

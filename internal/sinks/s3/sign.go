package s3

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// signer makes AWS's signatures of version 4. It is written here because a library for S3 would make the
// program megabytes larger for these lines; AWS publishes examples, which are the tests.
type signer struct {
	accessKey, secretKey, sessionToken string
	region                             string
	now                                func() time.Time
}

const algorithm = "AWS4-HMAC-SHA256"

// sign signs req, whose body has this SHA-256. All of the header is signed but what the transport may
// change.
func (s signer) sign(req *http.Request, bodyHash string) {
	at := s.now().UTC()
	date, day := at.Format("20060102T150405Z"), at.Format("20060102")
	req.Header.Set("X-Amz-Date", date)
	req.Header.Set("X-Amz-Content-Sha256", bodyHash)
	if s.sessionToken != "" {
		req.Header.Set("X-Amz-Security-Token", s.sessionToken)
	}
	names, headers := canonicalHeaders(req)
	canonical := strings.Join([]string{
		req.Method, escape(req.URL.Path, "/"), canonicalQuery(req.URL), headers, names, bodyHash,
	}, "\n")
	scope := day + "/" + s.region + "/s3/aws4_request"
	hash := sha256.Sum256([]byte(canonical))
	text := algorithm + "\n" + date + "\n" + scope + "\n" + hex.EncodeToString(hash[:])
	key := []byte("AWS4" + s.secretKey)
	for _, part := range []string{day, s.region, "s3", "aws4_request", text} {
		mac := hmac.New(sha256.New, key)
		_, _ = mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	req.Header.Set("Authorization", algorithm+" Credential="+s.accessKey+"/"+scope+
		",SignedHeaders="+names+",Signature="+hex.EncodeToString(key))
}

// canonicalHeaders are the names of what is signed, and its lines.
func canonicalHeaders(req *http.Request) (names, lines string) {
	all := map[string]string{"host": req.Host}
	for name, values := range req.Header {
		switch name {
		case "User-Agent", "Authorization", "Idempotency-Key", "Expect":
			continue
		}
		all[strings.ToLower(name)] = strings.Join(strings.Fields(strings.Join(values, ",")), " ")
	}
	var sorted []string
	for name := range all {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	for _, name := range sorted {
		lines += name + ":" + all[name] + "\n"
	}
	return strings.Join(sorted, ";"), lines
}

func canonicalQuery(u *url.URL) string {
	var pairs []string
	for name, values := range u.Query() {
		for _, value := range values {
			pairs = append(pairs, escape(name, "")+"="+escape(value, ""))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// escape writes all but letters, digits, - . _ ~ and what is in keep as %XX.
func escape(text, keep string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(text) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~", c) >= 0, strings.IndexByte(keep, c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String()
}

package s3

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/filelessd/filelessd/internal/sinks/internal/post"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Config is the configuration of a sink of type s3.
type Config struct {
	// URL is the address of the storage, http or https, without the bucket, such as
	// https://s3.eu-central-1.amazonaws.com.
	URL sink.Secret `yaml:"url"`
	// Bucket is where reports go. It must be there.
	Bucket string `yaml:"bucket"`
	// Prefix begins the key of each object.
	Prefix string `yaml:"prefix"`
	// Region is that of the bucket. Storage other than Amazon's mostly takes the default.
	Region string `yaml:"region"`
	// Addressing is path, with the bucket in the path, or virtual, with the bucket before the host.
	Addressing string `yaml:"addressing"`
	// Formats are the objects of a report, of json, markdown, html, text, ecs, ocsf and cef.
	Formats []string `yaml:"formats"`
	// AccessKeyID and SecretAccessKey are the credentials; SessionToken goes with temporary ones.
	AccessKeyID     string      `yaml:"access_key_id"`
	SecretAccessKey sink.Secret `yaml:"secret_access_key"`
	SessionToken    sink.Secret `yaml:"session_token"`
	// Encryption asks the storage to encrypt: AES256 or aws:kms; empty for the bucket's own setting.
	Encryption string `yaml:"encryption"`
	// KMSKeyID is the key of aws:kms; empty for the bucket's.
	KMSKeyID string `yaml:"kms_key_id"`
	// TLS is about certificates.
	TLS sink.TLS `yaml:"tls"`
}

// object is what a format is stored as.
type object struct{ name, mediaType string }

var objects = map[string]object{
	"json":     {"report.json", "application/json"},
	"markdown": {"report.md", "text/markdown; charset=utf-8"},
	"html":     {"report.html", "text/html; charset=utf-8"},
	"text":     {"report.txt", "text/plain; charset=utf-8"},
	"ecs":      {"report.ecs.json", "application/json"},
	"ocsf":     {"report.ocsf.json", "application/json"},
	"cef":      {"report.cef", "text/plain; charset=utf-8"},
}

var (
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	prefixText = regexp.MustCompile(`^[A-Za-z0-9._/-]{0,256}$`)
	regionName = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)
	headerText = regexp.MustCompile(`^[!-~]*$`)
)

// Validate says what is wrong with c.
func (c Config) Validate() error {
	var errs []error
	bad := func(is bool, text string) {
		if is {
			errs = append(errs, errors.New(text))
		}
	}
	bad(!bucketName.MatchString(c.Bucket) || strings.Contains(c.Bucket, ".."), "bucket: want 3 to 63 small letters, digits, dots and -")
	bad(!prefixText.MatchString(c.Prefix), "prefix: want letters, digits, dots, _, - and /")
	for part := range strings.SplitSeq(strings.Trim(c.Prefix, "/"), "/") {
		bad(c.Prefix != "" && strings.Trim(part, ".") == "", "prefix: a part of it is empty or of dots only")
	}
	bad(!regionName.MatchString(c.Region), "region: want small letters, digits and -")
	bad(c.Addressing != "path" && c.Addressing != "virtual", fmt.Sprintf("addressing: want path or virtual, got %q", c.Addressing))
	bad(len(c.Formats) == 0, "formats: missing")
	for n, f := range c.Formats {
		if _, known := objects[f]; !known {
			errs = append(errs, sink.CheckFormat("formats", f))
		}
		bad(slices.Contains(c.Formats[:n], f), fmt.Sprintf("formats: %s is there twice", f))
	}
	bad(c.AccessKeyID == "" || c.SecretAccessKey == "", "access_key_id: missing, or secret_access_key")
	bad(!headerText.MatchString(c.AccessKeyID) || strings.ContainsAny(c.AccessKeyID, "/,"), "access_key_id: has characters that no key has")
	bad(!headerText.MatchString(string(c.SessionToken)), "session_token: has blanks or control characters")
	bad(!slices.Contains([]string{"", "AES256", "aws:kms"}, c.Encryption), fmt.Sprintf("encryption: want AES256 or aws:kms, got %q", c.Encryption))
	bad(c.KMSKeyID != "" && c.Encryption != "aws:kms", "kms_key_id: goes with encryption: aws:kms")
	bad(!headerText.MatchString(c.KMSKeyID), "kms_key_id: has blanks or control characters")
	return errors.Join(append(errs, c.checkURL(), c.TLS.Validate())...)
}

func (c Config) checkURL() error {
	if err := post.CheckBase(c.URL); err != nil {
		return err
	}
	u, err := sink.ParseURL(c.URL)
	switch {
	case err != nil:
		return err
	case u.User != nil:
		return errors.New("url: the credentials are access_key_id and secret_access_key")
	case c.Addressing == "virtual" && net.ParseIP(u.Hostname()) != nil:
		return errors.New("addressing: an address of numbers has no virtual hosts")
	}
	return nil
}

// base is the address of the bucket.
func (c Config) base() (sink.Secret, error) {
	u, err := sink.ParseURL(c.URL)
	if err != nil {
		return "", fmt.Errorf("url: %w", err)
	}
	if c.Addressing == "virtual" {
		u.Host = c.Bucket + "." + u.Host
		return sink.Secret(u.String()), nil
	}
	return sink.Secret(u.JoinPath(c.Bucket).String()), nil
}

// key is that of the folder of r: prefix/2026/03/01/host/id. It is the same at each attempt.
func (c Config) key(r *report.Report) string {
	host := "filelessd" // which speaks of itself
	if r.Event != nil {
		host = safe(r.Event.Hostname)
	}
	parts := []string{r.CreatedAt.UTC().Format(time.DateOnly), host, safe(r.ID)}
	parts[0] = strings.ReplaceAll(parts[0], "-", "/")
	if prefix := strings.Trim(c.Prefix, "/"); prefix != "" {
		parts = append([]string{prefix}, parts...)
	}
	return strings.Join(parts, "/")
}

// safe is text as one part of a key: letters, digits, dots, _ and -, not dots alone, and not long. Names
// of different hosts can become the same; the ids below them differ.
func safe(text string) string {
	const longest = 64
	var b strings.Builder
	for _, c := range []byte(text[:min(len(text), longest)]) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
			b.WriteByte(c)
		default:
			b.WriteByte('_')
		}
	}
	if strings.Trim(b.String(), ".") == "" {
		return "_"
	}
	return b.String()
}

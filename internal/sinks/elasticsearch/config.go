package elasticsearch

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/filelessd/filelessd/internal/sinks/internal/post"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// Config is the configuration of a sink of type elasticsearch.
type Config struct {
	// URL is the address of the cluster, http or https, such as https://es.example:9200.
	URL sink.Secret `yaml:"url"`
	// Index is where reports go. {day}, {month} and {year} stand for the date on which the report was
	// made, in UTC, as 2026.03.01, 2026.03 and 2026. Of a data stream it is the name, without a date.
	Index string `yaml:"index"`
	// DataStream says that the index is a data stream.
	DataStream bool `yaml:"data_stream"`
	// Op is create, by which a repeat changes nothing, or index, by which it replaces the document.
	Op string `yaml:"op"`
	// Pipeline is the ingest pipeline to send reports through; empty for that of the index.
	Pipeline string `yaml:"pipeline"`
	// Template puts an index template for the index, unless somebody else's is there under its name.
	Template bool `yaml:"template"`
	// APIKey is an API key as Elasticsearch shows it: the base64 of id:key.
	APIKey sink.Secret `yaml:"api_key"`
	// Username and Password are those of basic authentication.
	Username string      `yaml:"username"`
	Password sink.Secret `yaml:"password"`
	// TLS is about certificates.
	TLS sink.TLS `yaml:"tls"`
}

// Validate says what is wrong with c.
func (c Config) Validate() error {
	var errs []error
	if c.Op != "create" && c.Op != "index" {
		errs = append(errs, fmt.Errorf("op: want create or index, got %q", c.Op))
	}
	if c.DataStream {
		if strings.ContainsAny(c.Index, "{}") {
			errs = append(errs, errors.New("index: a data stream has one name, without a date"))
		}
		if c.Op == "index" {
			errs = append(errs, errors.New("op: a data stream takes create only"))
		}
	}
	if strings.ContainsFunc(c.Pipeline, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		errs = append(errs, errors.New("pipeline: has blanks or control characters"))
	}
	switch {
	case c.APIKey != "" && (c.Username != "" || c.Password != ""):
		errs = append(errs, errors.New("api_key: excludes username and password"))
	case (c.Username == "") != (c.Password == ""):
		errs = append(errs, errors.New("username: goes with password"))
	case strings.Contains(c.Username, ":"):
		errs = append(errs, errors.New("username: can have no colon"))
	}
	return errors.Join(append(errs, post.CheckBase(c.URL), checkIndex(c.indexAt(time.Unix(0, 0))),
		post.CheckHeader("api_key", c.APIKey), c.TLS.Validate())...)
}

// checkIndex holds the rules of Elasticsearch for names. Placeholders are filled in.
func checkIndex(name string) error {
	switch {
	case name == "":
		return errors.New("index: missing")
	case len(name) > 255:
		return errors.New("index: longer than 255 bytes")
	case name != strings.ToLower(name):
		return errors.New("index: has capitals")
	case strings.ContainsAny(name, "{}"):
		return errors.New("index: the placeholders are {day}, {month} and {year}")
	case strings.ContainsAny(name, `\/*?"<>| ,#:`) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return errors.New(`index: has one of \ / * ? " < > | , # : or a blank`)
	case strings.ContainsAny(name[:1], "-_+."):
		return errors.New("index: begins with a dot or with one of - _ +")
	}
	return nil
}

// indexOf is the index of r. Its date is that of the report, not of the delivery: a repeat goes to the
// same index, where it is known.
func (c Config) indexOf(r *report.Report) string { return c.indexAt(r.CreatedAt) }

func (c Config) indexAt(t time.Time) string {
	t = t.UTC()
	return strings.NewReplacer("{day}", t.Format("2006.01.02"), "{month}", t.Format("2006.01"), "{year}", t.Format("2006")).Replace(c.Index)
}

// header has the credentials.
func (c Config) header() http.Header {
	switch {
	case c.APIKey != "":
		return http.Header{"Authorization": {"ApiKey " + string(c.APIKey)}}
	case c.Username != "":
		pair := c.Username + ":" + string(c.Password)
		return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(pair))}}
	}
	return nil
}

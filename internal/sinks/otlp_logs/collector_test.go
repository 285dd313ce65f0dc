package otlplogs

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"sync"
	"testing"
	"unicode/utf8"

	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/filelessd/filelessd/internal/sinks/internal/fixture"
)

// collector is a stand-in for a receiver of OTLP, with the published messages. It is for what a real one
// does not do when it is asked: reject some of the records.
type collector struct {
	*fixture.Receiver
	t testing.TB

	mu      sync.Mutex
	records []*logspb.LogRecord
	reject  func(*logspb.LogRecord) bool
}

func newCollector(t testing.TB, secure bool) *collector {
	c := &collector{t: t, reject: func(*logspb.LogRecord) bool { return false }}
	c.Receiver = fixture.NewReceiver(t, secure, c.take)
	return c
}

func (c *collector) take(w http.ResponseWriter, r *http.Request, body []byte) (taken [][]byte) {
	if r.Method != http.MethodPost || r.URL.Path != "/v1/logs" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		http.NotFound(w, r)
		return nil
	}
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(bytes.NewReader(body))
		if err == nil {
			body, err = io.ReadAll(unpacked)
		}
		if err != nil {
			c.t.Error(err)
		}
	}
	var data logspb.LogsData
	if err := proto.Unmarshal(body, &data); err != nil {
		c.t.Error(err) // which it also is where text is not UTF-8
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	rejected := 0
	for _, resource := range data.GetResourceLogs() {
		for _, scope := range resource.GetScopeLogs() {
			for _, record := range scope.GetLogRecords() {
				if c.reject(record) {
					rejected++
					continue
				}
				c.records = append(c.records, record)
				text := record.GetBody().GetStringValue()
				for _, a := range record.GetAttributes() {
					text += "\n" + a.GetKey() + "=" + a.GetValue().GetStringValue()
				}
				if !utf8.ValidString(text) {
					c.t.Errorf("%q", text)
				}
				taken = append(taken, []byte(text))
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	if rejected > 0 {
		_, _ = w.Write(response(rejected, "no room"))
	}
	return taken
}

// response is an ExportLogsServiceResponse.
func response(rejected int, why string) []byte {
	var partial []byte
	partial = protowire.AppendTag(partial, 1, protowire.VarintType)
	partial = protowire.AppendVarint(partial, uint64(rejected))
	partial = protowire.AppendTag(partial, 2, protowire.BytesType)
	partial = protowire.AppendString(partial, why)
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), partial)
}

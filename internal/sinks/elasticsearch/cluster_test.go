package elasticsearch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/filelessd/filelessd/internal/sinks/internal/fixture"
)

// cluster is a stand-in for Elasticsearch, which holds requests to what its reference says: the syntax of
// _bulk, names, the rule of create, the greatest length of a keyword (32,766 bytes, unless the mapping
// ignores longer ones), fields that the mapping does not know.
type cluster struct {
	*fixture.Receiver
	t testing.TB

	mu        sync.Mutex
	documents map[string]map[string]any // by index and id
	templates map[string][]byte
	// refuse has what becomes of a document by the id: status, type of error.
	refuse map[string]outcome
}

func newCluster(t testing.TB, secure bool) *cluster {
	c := &cluster{t: t, documents: map[string]map[string]any{}, templates: map[string][]byte{}, refuse: map[string]outcome{}}
	c.Receiver = fixture.NewReceiver(t, secure, c.take)
	return c
}

// take returns documents with their ids, as they were accepted.
func (c *cluster) take(w http.ResponseWriter, r *http.Request, body []byte) [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	name, isTemplate := strings.CutPrefix(r.URL.Path, "/_index_template/")
	switch {
	case r.Method == http.MethodGet && r.URL.Path == "/":
		fmt.Fprint(w, `{"version":{"number":"9.2.0"}}`)
	case isTemplate && r.Method == http.MethodGet:
		if c.templates[name] == nil {
			w.WriteHeader(http.StatusNotFound)
			return nil
		}
		fmt.Fprintf(w, `{"index_templates":[{"name":%q,"index_template":%s}]}`, name, c.templates[name])
	case isTemplate && r.Method == http.MethodPut && r.Header.Get("Content-Type") == "application/json" && json.Valid(body):
		c.templates[name] = body
		fmt.Fprint(w, `{"acknowledged":true}`)
	case r.Method == http.MethodPost && r.URL.Path == "/_bulk" && r.Header.Get("Content-Type") == "application/x-ndjson":
		return c.bulk(w, body)
	default:
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, "no handler for %s %s", r.Method, r.URL.Path)
	}
	return nil
}

func (c *cluster) bulk(w http.ResponseWriter, body []byte) (taken [][]byte) {
	if !bytes.HasSuffix(body, []byte("\n")) {
		c.t.Error("the bulk request must be terminated by a newline")
	}
	lines := bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))
	if len(lines)%2 != 0 {
		c.t.Errorf("%d lines", len(lines))
		return nil
	}
	items, failed := []map[string]outcome{}, false
	for n := 0; n < len(lines); n += 2 {
		var action map[string]struct {
			Index string `json:"_index"`
			ID    string `json:"_id"`
		}
		strict := json.NewDecoder(bytes.NewReader(lines[n]))
		strict.DisallowUnknownFields()
		if err := strict.Decode(&action); err != nil || len(action) != 1 {
			c.t.Errorf("action %s: %v", lines[n], err)
			return nil
		}
		for op, target := range action {
			o := c.one(op, target.Index, target.ID, lines[n+1])
			failed = failed || o.Error != nil
			items = append(items, map[string]outcome{op: o})
			if o.Status/100 == 2 {
				taken = append(taken, lines[n+1])
			}
		}
	}
	if err := json.NewEncoder(w).Encode(map[string]any{"errors": failed, "items": items}); err != nil {
		c.t.Error(err)
	}
	return taken
}

// one indexes one document.
func (c *cluster) one(op, index, id string, source []byte) outcome {
	if err := checkIndex(index); err != nil || op != "create" && op != "index" || id == "" || len(id) > 512 {
		c.t.Errorf("%s into %s as %s: %v", op, index, id, err)
	}
	if o, refused := c.refuse[id]; refused {
		o.ID = id
		return o
	}
	var document map[string]any
	if err := json.Unmarshal(source, &document); err != nil {
		return failure(id, 400, "document_parsing_exception", err.Error())
	}
	if err := c.check(document); err != nil {
		return failure(id, 400, "illegal_argument_exception", err.Error())
	}
	if c.documents[index] == nil {
		c.documents[index] = map[string]any{}
	}
	if _, there := c.documents[index][id]; there && op == "create" {
		return failure(id, 409, "version_conflict_engine_exception", "["+id+"]: version conflict, document already exists (current version [1])")
	}
	c.documents[index][id] = document
	return outcome{ID: id, Status: 201}
}

func failure(id string, status int, kind, reason string) outcome {
	o := outcome{ID: id, Status: status}
	_ = json.Unmarshal(fmt.Appendf(nil, `{"error":{"type":%q,"reason":%q}}`, kind, reason), &o)
	return o
}

// check walks a document along the mapping of the template.
func (c *cluster) check(document map[string]any) error {
	for _, text := range c.templates {
		var t struct {
			Template struct {
				Mappings map[string]any `json:"mappings"`
			} `json:"template"`
		}
		if err := json.Unmarshal(text, &t); err != nil {
			return err
		}
		return walk("", document, t.Template.Mappings)
	}
	return nil
}

func walk(path string, value any, mapping map[string]any) error {
	properties, _ := mapping["properties"].(map[string]any)
	switch v := value.(type) {
	case map[string]any:
		if mapping["enabled"] == false {
			return nil
		}
		for name, child := range v {
			if name == "" || strings.Trim(name, " .") != name || strings.Contains(name, ".") {
				return fmt.Errorf("%s: field name %q", path, name)
			}
			sub, _ := properties[name].(map[string]any)
			if err := walk(path+"."+name, child, sub); err != nil {
				return err
			}
		}
	case []any:
		for _, child := range v {
			if err := walk(path, child, mapping); err != nil {
				return err
			}
		}
	case string:
		// Without a mapping the dynamic one applies, which ignores what is long.
		if mapping["type"] == "keyword" && mapping["ignore_above"] == nil && mapping["index"] != false && len(v) > 32766 {
			return fmt.Errorf("Document contains at least one immense term in field=%q", path)
		}
		if kind := mapping["type"]; kind == "long" || kind == "float" {
			return fmt.Errorf("failed to parse field [%s] of type [%s]", path, kind)
		}
	}
	return nil
}

func (c *cluster) count() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, index := range c.documents {
		n += len(index)
	}
	return n
}

package elasticsearch

import (
	"context"
	_ "embed" // for the template
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/filelessd/filelessd/internal/sinks/internal/post"
)

// templateVersion grows with template.json.
const templateVersion = 1

// templateJSON has the mappings of what the format ecs writes.
//
//go:embed template.json
var templateJSON []byte

// templateName is one for each index that is configured: filelessd-reports for
// filelessd-reports-{month}.
func (e *elastic) templateName() string {
	return strings.Trim(placeholder.ReplaceAllString(e.config.Index, ""), "-_.")
}

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

// templateBody is the template of the configured index.
func (c Config) templateBody() ([]byte, error) {
	var body map[string]any
	if err := json.Unmarshal(templateJSON, &body); err != nil {
		return nil, err
	}
	body["index_patterns"] = []string{placeholder.ReplaceAllString(c.Index, "*")}
	body["version"] = templateVersion
	body["_meta"] = map[string]any{"managed_by": "filelessd"}
	if c.DataStream {
		body["data_stream"] = map[string]any{}
	}
	return json.MarshalIndent(body, "", " ")
}

// prepare puts the template before the first report. If the cluster does not want it, reports go
// without: what is found in them is worse then, but a report that does not come can not be found at all.
// Probe says so.
func (e *elastic) prepare(ctx context.Context) error {
	select {
	case e.preparing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-e.preparing }()
	if e.prepared || !e.config.Template {
		return ctx.Err()
	}
	status, err := e.template(ctx)
	switch {
	case err == nil:
	case status/100 == 4 && status != http.StatusUnauthorized && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests:
	default:
		return err
	}
	e.prepared = true
	return nil
}

// template puts the template, unless there is one of that name which is newer or not filelessd's.
func (e *elastic) template(ctx context.Context) (status int, err error) {
	request := post.Request{Method: http.MethodGet, Path: "_index_template/" + e.templateName()}
	status, answer, err := e.client.Do(ctx, request)
	if err == nil {
		current, err := newest(answer)
		if err != nil {
			return status, fmt.Errorf("%s: %w", e.client.Name(), err)
		}
		if current {
			return status, nil
		}
	} else if status != http.StatusNotFound {
		return status, err
	}
	body, err := e.config.templateBody()
	if err != nil {
		return 0, err
	}
	request.Method, request.Type, request.Body = http.MethodPut, "application/json", body
	status, _, err = e.client.Do(ctx, request)
	return status, err
}

// newest reports whether a template that is there is to stay.
func newest(answer []byte) (bool, error) {
	var all struct {
		Templates []struct {
			Template struct {
				Version int `json:"version"`
				Meta    struct {
					ManagedBy string `json:"managed_by"`
				} `json:"_meta"`
			} `json:"index_template"`
		} `json:"index_templates"`
	}
	if err := json.Unmarshal(answer, &all); err != nil {
		return false, errors.New("the answer to _index_template is not what Elasticsearch says")
	}
	for _, t := range all.Templates {
		if t.Template.Meta.ManagedBy != "filelessd" || t.Template.Version >= templateVersion {
			return true, nil
		}
	}
	return false, nil
}

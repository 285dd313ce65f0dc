package elasticsearch

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/filelessd/filelessd/internal/sinks/internal/post"
	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
)

// outcome is what became of one line of a request.
type outcome struct {
	ID     string `json:"_id"`
	Status int    `json:"status"`
	Error  *struct {
		Type     string `json:"type"`
		Reason   string `json:"reason"`
		CausedBy struct {
			Reason string `json:"reason"`
		} `json:"caused_by"`
	} `json:"error"`
}

// read takes the answer of a request apart: it has one item for each report, in their order.
func (e *elastic) read(answer []byte, rs []*report.Report, part []int) []error {
	var all struct {
		Items []map[string]outcome `json:"items"`
	}
	if err := json.Unmarshal(answer, &all); err != nil {
		return post.Same(len(part), fmt.Errorf("%s: the answer to _bulk is not what Elasticsearch says: %s", e.client.Name(), post.Quote(string(answer))))
	}
	if len(all.Items) != len(part) {
		return post.Same(len(part), fmt.Errorf("%s: %d answers to %d reports", e.client.Name(), len(all.Items), len(part)))
	}
	errs := make([]error, len(part))
	for n, item := range all.Items {
		o, ok := item[e.config.Op]
		if !ok || o.ID != "" && o.ID != rs[part[n]].ID {
			errs[n] = fmt.Errorf("%s: an answer is about another report", e.client.Name())
			continue
		}
		errs[n] = e.class(o)
	}
	return errs
}

// class is the error of one item.
func (e *elastic) class(o outcome) error {
	// A conflict says that a document of this id is there: the report came before.
	if o.Status/100 == 2 || o.Status == http.StatusConflict {
		return nil
	}
	kind, why := "", ""
	if o.Error != nil {
		kind, why = o.Error.Type, o.Error.Reason
		if cause := o.Error.CausedBy.Reason; cause != "" {
			why += ": " + cause
		}
	}
	err := fmt.Errorf("%s: item answered %d: %s", e.client.Name(), o.Status, post.Quote(kind+": "+why))
	err = sink.Hide(err, e.config.APIKey, e.config.Password)
	switch o.Status {
	case http.StatusTooManyRequests, http.StatusRequestTimeout:
		return sink.RetryAfter(err, 0)
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return err
	}
	switch kind {
	case "index_closed_exception", "validation_exception", "invalid_index_name_exception":
		// The state or the settings of the cluster, such as that it has as many shards as it may.
		return err
	}
	if o.Status/100 == 5 || o.Status == 0 {
		return err
	}
	return sink.Permanent(err)
}

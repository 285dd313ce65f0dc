package reportsv1_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/filelessd/filelessd/internal/server"
	"github.com/filelessd/filelessd/pkg/report"
	reportsv1 "github.com/filelessd/filelessd/proto/reports/v1"
)

// The message that the report service makes of a report is the one that its JSON form parses to, for
// each report that can be had here: TestKeys holds that the JSON form leaves nothing out.
func TestMessage(t *testing.T) {
	all := samples(t)
	maps.Copy(all, golden(t))
	for name, r := range all {
		t.Run(name, func(t *testing.T) {
			data, err := report.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			var want reportsv1.Report
			if err := (protojson.UnmarshalOptions{DiscardUnknown: false}).Unmarshal(data, &want); err != nil {
				t.Fatal(err)
			}
			got := server.Message(r)
			if diff := cmp.Diff(&want, got, protocmp.Transform()); diff != "" {
				t.Errorf("(-JSON +message):\n%s", diff)
			}
			wire, err := proto.Marshal(got)
			if err != nil {
				t.Fatal(err) // of text that is not UTF-8
			}
			var back reportsv1.Report
			if err := proto.Unmarshal(wire, &back); err != nil || !proto.Equal(got, &back) {
				t.Errorf("another message came out of the wire: %v", err)
			}
		})
	}
}

// golden returns the reports that the repository shows.
func golden(t *testing.T) map[string]*report.Report {
	t.Helper()
	paths, err := filepath.Glob("../../../examples/reports/*.json")
	if err != nil || len(paths) < 4 {
		t.Fatalf("%d reports in the examples: %v", len(paths), err)
	}
	all := map[string]*report.Report{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var want reportsv1.Report
		if err := (protojson.UnmarshalOptions{DiscardUnknown: false}).Unmarshal(data, &want); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		r := new(report.Report)
		if err := json.Unmarshal(data, r); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&want, server.Message(r), protocmp.Transform()); diff != "" {
			t.Errorf("%s (-file +message):\n%s", path, diff)
		}
		all[strings.TrimSuffix(filepath.Base(path), ".json")] = r
	}
	return all
}

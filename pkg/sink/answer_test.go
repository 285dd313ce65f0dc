package sink_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/filelessd/filelessd/pkg/sink"
)

// What a destination answers is there for whoever asked for it, without what the request holds as
// secrets.
func TestAnswered(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte("taken\n for " + r.Header.Get("Authorization") + " at " + r.URL.Path + "\x1b[2J"))
	}))
	defer web.Close()
	client, err := sink.HTTPClient(sink.TLS{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	ctx, answers := sink.WithAnswers(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, web.URL+"/hook-0123456789", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer s3cret-s3cret")
	if err := sink.Send(client, req); err != nil {
		t.Fatal(err)
	}
	sink.Answered(ctx, "and more")
	sink.Answered(t.Context(), "nobody listens")
	want := []string{`201 Created: "taken for [redacted] at [redacted]\x1b[2J"`, "and more"}
	if diff := cmp.Diff(want, answers()); diff != "" {
		t.Error(diff)
	}
}

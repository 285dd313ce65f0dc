package sinktest_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

// lineSink speaks a protocol of lines, with a connection for each report.
type lineSink struct {
	dialer   sink.Dialer
	password sink.Secret
}

func (s lineSink) Close() error { return nil }

func (s lineSink) Probe(ctx context.Context) error {
	conn, err := s.dialer.Dial(ctx)
	if err != nil {
		return err
	}
	return conn.Close()
}

func (s lineSink) Deliver(ctx context.Context, r *report.Report) error {
	return sink.Hide(s.deliver(ctx, r), s.password)
}

func (s lineSink) deliver(ctx context.Context, r *report.Report) error {
	conn, err := s.dialer.Dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer sink.Until(ctx, conn)()
	text := sink.Fit{Limit: 500, Where: sink.Where(r, "")}.Text(sink.NewBrief(r).Pieces(func(label string) (string, string) { return label + "=", "; " }))
	if _, err := fmt.Fprintf(conn, "%s %s\n", string(s.password), text); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	switch {
	case err != nil:
		return err
	case strings.HasPrefix(answer, "ok"):
		return nil
	default:
		return sink.Permanent(errors.New(answer))
	}
}

// TestServer: a sink that speaks no HTTP passes the suite with a Server as its destination.
func TestServer(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Harness {
				const password = "correct horse"
				s := sinktest.NewServer(t, network, nil, func(conn net.Conn, s *sinktest.Server) {
					line, err := bufio.NewReader(conn).ReadBytes('\n')
					if err != nil {
						return
					}
					switch s.Take(bytes.TrimPrefix(bytes.TrimSuffix(line, []byte("\n")), []byte(password))) {
					case sinktest.Accepts:
						fmt.Fprintln(conn, "ok")
					case sinktest.Rejects:
						fmt.Fprintf(conn, "no: %s", line)
					}
				})
				h := s.Harness()
				h.Open = func() (sink.Sink, error) {
					return lineSink{sink.Dialer{Network: network, Address: s.Address}, password}, nil
				}
				h.Inert = sinktest.Medium{Longest: 501, Size: 501, Forbidden: []string{"INJECTED\n"}}.Inert
				h.Secret = password
				h.Lacks = map[string]string{"Throttle": "the protocol can not say so"}
				return h
			})
		})
	}
}

func TestMedium(t *testing.T) {
	r := sinktest.Ordinary()
	texts := func(received []byte) ([]string, error) {
		if !bytes.HasPrefix(received, []byte("<")) {
			return nil, errors.New("no frame")
		}
		return strings.Split(string(received[1:]), "|"), nil
	}
	m := sinktest.Medium{Texts: texts, Forbidden: []string{"<!Here>"}, Pattern: regexp.MustCompile(`https?://`), Longest: 100, Size: 300}
	for text, want := range map[string]string{
		"<" + r.ID + "|fine":     "",
		"<no id":                 "id of the report",
		r.ID:                     "no frame",
		"<" + r.ID + "|<!here>":  "<!Here>",
		"<" + r.ID + "|http://x": "forbids",
		"<" + r.ID + "|a\nb":     "do not show",
		"<" + r.ID + "|" + strings.Repeat("x", 101): "takes 100",
		"<" + r.ID + strings.Repeat("|x", 200):      "takes 300",
	} {
		err := m.Inert(r, []byte(text))
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.100q: %v, want %q", text, err, want)
		}
	}
	m.Lines = true
	if err := m.Inert(r, []byte("<"+r.ID+"|a\nb")); err != nil {
		t.Error(err)
	}
	if err := m.Inert(r, []byte("<"+r.ID+"|a\n"+sinktest.Injected)); err == nil {
		t.Error("an injected line passed")
	}
}

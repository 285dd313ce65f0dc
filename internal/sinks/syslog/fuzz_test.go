package syslog

import (
	"strings"
	"testing"

	"github.com/filelessd/filelessd/pkg/report"
	"github.com/filelessd/filelessd/pkg/sink/sinktest"
)

func FuzzMessage(f *testing.F) {
	f.Add("3 --quiet", uint16(2048))
	f.Add("\" injected=\"x] \\\n\u202e\xff=|", uint16(1280))
	f.Add(`\\\"]]]===|||`, uint16(1300))
	f.Fuzz(func(t *testing.T, text string, limit uint16) {
		r := sinktest.Ordinary()
		r.Title, r.Summary, r.Event.Hostname, r.Event.Rule, r.Technique = text, text, text, text, report.Technique(text)
		r.Event.SetField("proc.cmdline", text)
		r.Event.SetField("container.id", text)
		r.Actions[0].Title = text
		for _, format := range []string{"json", "text", "cef"} {
			c := defaults()
			c.Format, c.MaxBytes = format, max(int(limit), leastMaxBytes)
			w := testWriter(t, c)
			w.sdID = c.SDID
			got, err := w.message(r)
			if err != nil {
				t.Fatal(err)
			}
			check(t, w, got)
			p, _ := parse(got)
			if p.data[c.SDID]["id"] != r.ID {
				t.Errorf("another id: %s", got)
			}
		}
	})
}

func FuzzCEF(f *testing.F) {
	f.Add(`a\=b c\\ d`, `e|f`)
	f.Fuzz(func(t *testing.T, value, name string) {
		w := testWriter(t, defaults())
		line := "CEF:0|filelessd|filelessd|1|x|" + escapeCEFName(name) + "|5|externalId=1 cs1Label=verdict cs1=test dvchost=" +
			escapeCEF(value) + " cs4Label=proc.cmdline cs4=" + escapeCEF(strings.Repeat(value, 300)) + " msg=" + escapeCEF(value)
		short := w.shortCEF(sinktest.Ordinary(), line, 700)
		if len(short) > 700 || !strings.HasPrefix(short, "CEF:0|") {
			t.Fatalf("%d bytes: %s", len(short), short)
		}
		header, pairs := splitCEF(short)
		if header[6] != "5" {
			t.Errorf("header %q", header)
		}
		allowed := map[string]bool{"externalId": true, "verdict": true, "dvchost": true, "proc.cmdline": true, "msg": true}
		for _, p := range pairs {
			if !allowed[p.name] {
				t.Errorf("a pair %+v in %s", p, short)
			}
		}
	})
}

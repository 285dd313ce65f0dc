//go:build integration

package render_test

import (
	"html"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/filelessd/filelessd/internal/render"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// caused keeps the visits of those whom the page names, wherever and however it does. The others are
// the browser's own: it asks its makers for the time, for updates and for a start page, each version
// others than the last.
func caused(visits []string, page []byte) []string {
	text := strings.ToLower(html.UnescapeString(string(page)))
	return slices.DeleteFunc(visits, func(visit string) bool {
		_, target, _ := strings.Cut(visit, " ")
		target, _, _ = strings.Cut(target, " ")
		if !strings.Contains(target, "://") { // a CONNECT names host and port
			target = "https://" + target
		}
		u, err := url.Parse(target)
		return err == nil && u.Hostname() != "" && !strings.Contains(text, strings.ToLower(u.Hostname()))
	})
}

// TestIntegrationBrowserNotices makes sure that what the tests below must not see would be seen.
func TestIntegrationBrowserNotices(t *testing.T) {
	b := newBrowser(t)
	page := []byte(`<!DOCTYPE html><title>x</title><img src="http://&#101;vil.EXAMPLE/p.png" onerror="alert(1)">`)
	seen := b.open(page)
	if len(seen.dialogs) != 1 || !slices.Contains(seen.requests, "http://evil.example/p.png") ||
		!slices.ContainsFunc(caused(seen.visits, page), func(v string) bool { return strings.Contains(v, "evil.example") }) {
		t.Errorf("a page that calls out went unnoticed: %+v", seen)
	}
}

// TestIntegrationBrowserOwnVisits makes sure that what the browser does on its own, as seen of some
// versions, is not laid to a page, and what a page does is not laid to the browser.
func TestIntegrationBrowserOwnVisits(t *testing.T) {
	own := []string{
		"CONNECT start.duckduckgo.com:443 HTTP/1.1", "CONNECT www.google.com:443 HTTP/1.1",
		"GET http://clients2.google.com/time/1/current?cup2key=ML-DSA-44-10:8A HTTP/1.1",
		"POST http://update.googleapis.com/service/update2/json?cup2key=ML-DSA-44-16:oT HTTP/1.1",
	}
	pages := []string{"CONNECT evil.example:443 HTTP/1.1", "GET http://EVIL.example/p.png HTTP/1.1", ""}
	if got := caused(slices.Concat(own, pages), []byte("<p>evil&#46;Example")); !slices.Equal(got, pages) {
		t.Errorf("laid to the page: %q, want %q", got, pages)
	}
}

// TestIntegrationBrowserHostile opens a report full of each hostile value from a disk.
func TestIntegrationBrowserHostile(t *testing.T) {
	b := newBrowser(t)
	for name, value := range hostile(t) {
		if strings.TrimSpace(report.Visible(value)) == "" || !event.Known(value) {
			continue
		}
		// The prose of a real report is not so long, and a browser takes a minute to break it.
		value = value[:min(len(value), 2000)]
		t.Run(name, func(t *testing.T) {
			shownPage := render.HTML(everywhere(value))
			seen := b.open(shownPage)
			if seen.dialogs != nil || seen.requests != nil || len(caused(seen.visits, shownPage)) > 0 {
				t.Errorf("the page did something: %+v", seen)
			}
			var page struct {
				Text          string
				Active        int
				Margin, Title string
			}
			b.evaluate(`({text: document.body.textContent, title: document.title, margin: getComputedStyle(document.body).marginTop,
				active: document.querySelectorAll("script, iframe, object, embed, form, input, a, img, link, base, [onload], [onerror], [style], [href], [src]").length})`, &page)
			if page.Active > 0 {
				t.Errorf("%d elements that no page has", page.Active)
			}
			if page.Margin != "0px" {
				t.Errorf("the page's own style does not apply: a margin of %s", page.Margin)
			}
			shown, _ := shownAs(value)
			if n := strings.Count(page.Text, shown); n < len(places) {
				t.Errorf("%+q stands on the page %d times", shown, n)
			}
		})
	}
}

// TestIntegrationBrowserWidth makes sure that no page has to be scrolled sideways, neither on a phone
// nor on a screen, with everything unfolded.
func TestIntegrationBrowserWidth(t *testing.T) {
	b := newBrowser(t)
	pages := map[string][]byte{"index": render.Index(indexed(t))}
	for name, r := range goldenReports(t) {
		pages[name] = render.HTML(r)
	}
	for _, name := range []string{"very-long", "long-wide", "long-spaces", "zalgo-tower", "right-to-left", "table-row"} {
		value := hostile(t)[name]
		pages[name] = render.HTML(everywhere(value[:min(len(value), 2000)]))
	}
	for name, page := range pages {
		for _, width := range []int{320, 390, 700, 1280} {
			b.device(width, 800, width == 390)
			b.open(page)
			var got struct{ Scroll, Client int }
			b.evaluate(`document.querySelectorAll("details").forEach(d => d.open = true),
				({scroll: document.documentElement.scrollWidth, client: document.documentElement.clientWidth})`, &got)
			if got.Scroll > got.Client || got.Client < width-20 {
				t.Errorf("%s is %d wide on %d of %d", name, got.Scroll, got.Client, width)
			}
		}
	}
}

// TestIntegrationBrowserPrint makes sure that paper shows what is folded, and no dark ground.
func TestIntegrationBrowserPrint(t *testing.T) {
	b := newBrowser(t)
	b.open(render.HTML(full(t)))
	const look = `({ground: getComputedStyle(document.body).backgroundColor,
		folded: [...document.querySelectorAll("details pre, details table")].filter(e => !e.checkVisibility({contentVisibilityAuto: true})).length,
		all: document.querySelectorAll("details pre, details table").length})`
	type sight struct {
		Ground      string
		Folded, All int
	}
	for _, c := range []struct {
		media string
		want  sight
	}{{"screen", sight{"rgb(18, 22, 27)", 3, 3}}, {"print", sight{"rgb(255, 255, 255)", 0, 3}}} {
		b.call("Emulation.setEmulatedMedia", map[string]any{
			"media": c.media, "features": []map[string]string{{"name": "prefers-color-scheme", "value": "dark"}},
		}, nil)
		var got sight
		b.evaluate(look, &got)
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", c.media, got, c.want)
		}
	}
	if pdf := b.data("Page.printToPDF", nil); !strings.HasPrefix(string(pdf), "%PDF-") {
		t.Errorf("no PDF: %.20q", pdf)
	}
}

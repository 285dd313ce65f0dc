package render_test

import (
	"crypto/sha256"
	"encoding/base64"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	nethtml "golang.org/x/net/html"

	"github.com/filelessd/filelessd/internal/render"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// all returns the elements below n of that name.
func all(n *nethtml.Node, name string) []*nethtml.Node {
	var found []*nethtml.Node
	for d := range n.Descendants() {
		if d.Type == nethtml.ElementNode && (name == "" || d.Data == name) {
			found = append(found, d)
		}
	}
	return found
}

func attribute(n *nethtml.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// TestHTMLStructure checks what programs that read pages aloud rely on.
func TestHTMLStructure(t *testing.T) {
	pages := map[string][]byte{"index": render.Index(indexed(t))}
	for name, r := range goldenReports(t) {
		pages[name] = render.HTML(r)
	}
	for name, page := range pages {
		t.Run(name, func(t *testing.T) {
			root := parseTree(t, page)
			if name != "index" { // which has links besides
				checkWritten(t, root)
			}
			if lang := attribute(all(root, "html")[0], "lang"); lang != "en" {
				t.Errorf("lang %q", lang)
			}
			if title := content(all(root, "title")[0]); strings.TrimSpace(title) == "" {
				t.Error("no title")
			}
			checkHeadings(t, root)
			checkFigures(t, root)
			for _, th := range all(root, "th") {
				if s := attribute(th, "scope"); s != "col" && s != "row" || content(th) == "" {
					t.Errorf("a title of a table with scope %q: %q", s, content(th))
				}
			}
		})
	}
}

func checkHeadings(t *testing.T, root *nethtml.Node) {
	t.Helper()
	level := 0
	for _, n := range all(root, "") {
		if len(n.Data) != 2 || n.Data[0] != 'h' || n.Data[1] < '1' || n.Data[1] > '6' {
			continue
		}
		next := int(n.Data[1] - '0')
		if next > level+1 || next == 1 && level > 0 {
			t.Errorf("a heading of level %d after one of level %d: %s", next, level, content(n))
		}
		if strings.TrimSpace(content(n)) == "" {
			t.Errorf("an empty heading of level %d", next)
		}
		level = next
	}
	if level == 0 {
		t.Error("no headings")
	}
}

func checkFigures(t *testing.T, root *nethtml.Node) {
	t.Helper()
	ids := map[string]string{}
	for _, n := range all(root, "") {
		if id := attribute(n, "id"); id != "" {
			if _, there := ids[id]; there {
				t.Errorf("two elements have the id %s", id)
			}
			ids[id] = strings.TrimSpace(content(n))
		}
	}
	for _, svg := range all(root, "svg") {
		if attribute(svg, "role") != "img" || len(strings.Fields(attribute(svg, "aria-labelledby"))) != 2 {
			t.Errorf("a drawing that says nothing of itself: %v", svg.Attr)
		}
		for id := range strings.FieldsSeq(attribute(svg, "aria-labelledby")) {
			if ids[id] == "" {
				t.Errorf("a drawing refers to %s, which says nothing", id)
			}
		}
	}
}

// TestHTMLPolicy makes sure that the policy allows the page's own style, and nothing else.
func TestHTMLPolicy(t *testing.T) {
	root := parseTree(t, render.HTML(full(t)))
	sum := sha256.Sum256([]byte(content(all(root, "style")[0])))
	want := "default-src 'none'; img-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-" +
		base64.StdEncoding.EncodeToString(sum[:]) + "'"
	policy := ""
	for _, m := range all(root, "meta") {
		if attribute(m, "http-equiv") == "Content-Security-Policy" {
			policy = attribute(m, "content")
		}
		if attribute(m, "name") == "referrer" && attribute(m, "content") != "no-referrer" {
			t.Errorf("referrer: %v", m.Attr)
		}
	}
	if policy != want {
		t.Errorf("policy %s, want %s", policy, want)
	}
}

// TestHTMLTones makes sure that each verdict has its colour, and that the words say it too.
func TestHTMLTones(t *testing.T) {
	for _, c := range []struct {
		verdict  report.Verdict
		severity report.Severity
		class    string
		words    string
	}{
		{report.Test, report.Medium, "tested", "Perhaps a test of the sensor. Not confirmed."},
		{report.BenignLikely, report.Low, "calm", "Probably harmless."},
		{report.Suspicious, report.Medium, "wary", "Suspicious."},
		{report.MaliciousLikely, report.Critical, "alarmed", "Probably malicious."},
		{"", report.High, "wary", "Alert Analysis Report"},
		{"", report.Info, "neutral", "Alert Analysis Report"},
		{`x" onload="alert(1)`, report.High, "neutral", `x" onload="alert(1)`},
	} {
		r := &report.Report{Kind: report.KindAlert, Verdict: c.verdict, Severity: c.severity, Event: &event.Event{Rule: "r"}}
		root := parseTree(t, render.HTML(r))
		if class := attribute(all(root, "body")[0], "class"); class != c.class {
			t.Errorf("%q has the colour %q, want %q", c.verdict, class, c.class)
		}
		for _, p := range all(root, "p") {
			if attribute(p, "class") == "verdict" && content(p) != c.words {
				t.Errorf("%q is called %q, want %q", c.verdict, content(p), c.words)
			}
		}
	}
}

var declaration = regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`)

// TestHTMLContrast makes sure that each colour of letters can be read on each ground that it stands
// on: 4.5 to 1 by WCAG 2, level AA.
func TestHTMLContrast(t *testing.T) {
	css, err := os.ReadFile("style.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, ok := strings.Cut(string(css), "prefers-color-scheme: dark")
	if !ok {
		t.Fatal("no dark colours")
	}
	grounds := map[string]string{
		"ink": "page box mark calm-box wary-box alarmed-box tested-box neutral-box", "quiet": "page box calm-box wary-box alarmed-box tested-box neutral-box",
		"calm-ink": "calm-box", "wary-ink": "wary-box", "alarmed-ink": "alarmed-box", "tested-ink": "tested-box page", "neutral-ink": "neutral-box",
	}
	for scheme, part := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]float64{}
		for _, m := range declaration.FindAllStringSubmatch(part, -1) {
			colours[m[1]] = luminance(t, m[2])
		}
		for ink, on := range grounds {
			for ground := range strings.FieldsSeq(on) {
				a, okA := colours[ink]
				b, okB := colours[ground]
				ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05)
				if !okA || !okB || ratio < 4.5 {
					t.Errorf("%s: %s on %s has a contrast of %.2f", scheme, ink, ground, ratio)
				}
			}
		}
	}
}

// luminance is the relative luminance of WCAG 2.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

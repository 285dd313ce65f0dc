package render_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	nethtml "golang.org/x/net/html"

	"github.com/filelessd/filelessd/internal/render"
	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// written is every element that a page may have, with its attributes. None of them runs, loads or
// links to anything.
var written = map[string]string{
	"html": "lang dir", "head": "", "meta": "charset http-equiv name content", "title": "", "style": "", "body": "class", "main": "",
	"div": "class", "p": "class", "ul": "", "li": "", "hr": "", "h1": "", "h2": "", "h3": "", "h4": "",
	"table": "class", "thead": "", "tbody": "", "tr": "", "th": "scope class", "td": "class data-title",
	"dl": "", "dt": "", "dd": "", "code": "class", "strong": "", "pre": "class tabindex", "details": "", "summary": "", "figure": "",
	"svg": "role width height aria-labelledby", "svg title": "id", "svg desc": "id", "svg text": "x y dx class", "svg tspan": "class dx",
	"svg line": "x1 x2 y1 y2 class", "svg circle": "cx cy r class", "svg rect": "x y width height rx class",
}

// checkWritten asserts that n and all below it is what the program wrote: nothing but elements of
// the list and text, and in attributes nothing of a report.
func checkWritten(t *testing.T, n *nethtml.Node) {
	t.Helper()
	if n.Type == nethtml.CommentNode || n.Type == nethtml.DoctypeNode && n.Data != "html" {
		t.Errorf("<!%s>", n.Data)
	}
	if n.Type == nethtml.ElementNode {
		name := n.Data
		if n.Namespace != "" && name != n.Namespace {
			name = n.Namespace + " " + name
		}
		attributes, ok := written[name]
		if !ok {
			t.Errorf("an element %s", name)
		}
		for _, a := range n.Attr {
			if !slices.Contains(strings.Fields(attributes), a.Key) {
				t.Errorf("%s has an attribute %s", name, a.Key)
			}
		}
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		checkWritten(t, c)
	}
}

func parseTree(t *testing.T, page []byte) *nethtml.Node {
	t.Helper()
	root, err := nethtml.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// skeleton is the tree below n with all attributes and without text. What prose quotes is marked as
// often as a text has pairs of quotes, which is all that such an element can do.
func skeleton(n *nethtml.Node, quotes bool) string {
	var b strings.Builder
	var walk func(n *nethtml.Node)
	walk = func(n *nethtml.Node) {
		isElement := n.Type == nethtml.ElementNode
		if isElement && !quotes && n.Data == "code" && slices.Contains(n.Attr, nethtml.Attribute{Key: "class", Val: "quoted"}) {
			return
		}
		if isElement {
			fmt.Fprintf(&b, "\n<%s %s %v>", n.Namespace, n.Data, n.Attr)
		}
		if n.Type == nethtml.CommentNode {
			b.WriteString("<!>")
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
		if isElement {
			b.WriteString("</" + n.Data + ">")
		}
	}
	walk(n)
	return b.String()
}

// twin is a harmless value that takes as much room as value, as far as that decides what is drawn.
func twin(value string) string {
	shown := report.Visible(value)
	switch {
	case utf8.RuneCountInString(shown) > 4000:
		return strings.Repeat("harmless", 1000)
	case utf8.RuneCountInString(shown) > 300:
		return strings.Repeat("harmless", 100)
	case render.Columns(shown) > 32:
		return strings.Repeat("harmless", 5)
	default:
		return "harmless"
	}
}

// meaningful is what the pages themselves understand: places, numbers.
var meaningful = regexp.MustCompile(`host|contain|docker|conmon|crio|podman|buildah|runc|crun|lxc-start|^[0-9]+$`)

// calmSkeletons are those of everywhere(a twin), of which there are few.
var calmSkeletons = map[string]string{}

func checkHTML(t *testing.T, value string) {
	t.Helper()
	if strings.TrimSpace(report.Visible(value)) == "" || !event.Known(value) || meaningful.MatchString(value) {
		return // says nothing, and so leaves places out; or says something
	}
	page := render.HTML(everywhere(value))
	root := parseTree(t, page)
	checkWritten(t, root)
	want, ok := calmSkeletons[twin(value)]
	if !ok {
		want = skeleton(parseTree(t, render.HTML(everywhere(twin(value)))), false)
		calmSkeletons[twin(value)] = want
	}
	if got := skeleton(root, false); got != want {
		t.Fatalf("%+q is active (-harmless +hostile):\n%s\nin\n%s", value, cmp.Diff(want, got), page)
	}
	got := parseHTML(t, page)
	for i := range got.texts {
		if e := got.texts[i].element; e == "p" || e == "h1" { // their ends are spaces that nobody sees
			got.texts[i].content = strings.Trim(got.texts[i].content, " ")
		}
	}
	got.texts = append(got.texts, text{"td", strings.TrimSpace(report.Visible(value))}) // below, untrimmed
	checkLegible(t, value, got, page)
	if !got.has("h1", strings.Trim(report.Visible(value), " ")) || !got.has("td", report.Visible(value)) {
		t.Errorf("no title or no cell %+q in\n%s", report.Visible(value), page)
	}
	if n := content(root); report.Visible(strings.Map(dropSpace, n)) != strings.Map(dropSpace, n) {
		t.Errorf("what can not be seen stands in\n%s", page)
	}
}

func dropSpace(r rune) rune {
	if r == '\n' || r == '\t' {
		return -1
	}
	return r
}

func TestHTMLHostile(t *testing.T) {
	for name, value := range hostile(t) {
		t.Run(name, func(t *testing.T) { checkHTML(t, value) })
	}
}

func TestHTMLMixtures(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		checkHTML(t, mixture(random))
	}
}

func FuzzHTML(f *testing.F) {
	seed(f)
	f.Fuzz(checkHTML)
}

// TestHTMLHostileAlerts lets the analysis write about each value, and compares with what the same
// texts would be about another: here even the quotes have to be the same.
func TestHTMLHostileAlerts(t *testing.T) {
	analyst, alert := newAnalyst(t), recorded(t)["c12"]
	for name, value := range hostile(t) {
		t.Run(name, func(t *testing.T) {
			e := copyOf(alert)
			for _, place := range attackers {
				put(&e, place, value)
			}
			r := analyst.report(t, e)
			calm, other := copyOf(*r.Event), *r
			for _, place := range attackers {
				put(&calm, place, twin(value))
			}
			other.Event, other.Title, other.Summary = &calm, harmless(r.Title), harmless(r.Summary)
			root := parseTree(t, render.HTML(r))
			checkWritten(t, root)
			want := skeleton(parseTree(t, render.HTML(&other)), true)
			if got := skeleton(root, true); got != want {
				t.Fatalf("%+q is active (-harmless +hostile):\n%s", value, cmp.Diff(want, got))
			}
		})
	}
}

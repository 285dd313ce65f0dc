package render_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer/html"
	nethtml "golang.org/x/net/html"
)

// gfm renders Markdown as permissively as anybody does: raw HTML, links of any kind, attributes.
var gfm = goldmark.New(
	goldmark.WithExtensions(
		extension.NewLinkify(), extension.Strikethrough, extension.TaskList, extension.Footnote, extension.DefinitionList,
		extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)),
	),
	goldmark.WithParserOptions(parser.WithAttribute()),
	goldmark.WithRendererOptions(html.WithUnsafe(), html.WithXHTML()),
)

// plainMark knows CommonMark and nothing else.
var plainMark = goldmark.New(goldmark.WithRendererOptions(html.WithUnsafe()))

func toHTML(t testing.TB, md goldmark.Markdown, source []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := md.Convert(source, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// document is a page as a browser sees it.
type document struct {
	tree  string // its elements with their attributes, without text
	texts []text // of its headings, paragraphs, cells and blocks of code
	loose string // all text outside of code
}

type text struct{ element, content string }

func parseHTML(t testing.TB, page []byte) document {
	t.Helper()
	root, err := nethtml.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var d document
	var tree strings.Builder
	d.walk(&tree, root)
	d.tree = tree.String()
	return d
}

// walk writes the tree below n. A code span is no part of it: it does nothing, and there is one
// more for each bar in a value.
func (d *document) walk(tree *strings.Builder, n *nethtml.Node) {
	isElement := n.Type == nethtml.ElementNode
	isSpan := isElement && n.Data == "code" && n.Parent.Data != "pre"
	if n.Type == nethtml.CommentNode || n.Type == nethtml.DoctypeNode {
		tree.WriteString("<!" + n.Data + ">")
	}
	if isElement && !isSpan {
		tree.WriteString("\n<" + n.Data)
		for _, a := range n.Attr {
			tree.WriteString(" " + a.Key + "=" + a.Val)
		}
		tree.WriteString(">")
		if slices.Contains([]string{"h1", "h2", "h3", "p", "td", "th", "pre"}, n.Data) {
			d.texts = append(d.texts, text{n.Data, content(n)})
		}
	}
	if n.Type == nethtml.TextNode {
		d.loose += n.Data + "\n"
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if isSpan || isElement && n.Data == "pre" {
			break // code is loose nowhere
		}
		d.walk(tree, c)
	}
	if isElement && !isSpan {
		tree.WriteString("</" + n.Data + ">")
	}
}

func content(n *nethtml.Node) string {
	if n.Type == nethtml.TextNode {
		return n.Data
	}
	var b strings.Builder
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		b.WriteString(content(c))
	}
	return b.String()
}

// has reports whether some element of that name has exactly this content.
func (d document) has(element, content string) bool {
	return slices.Contains(d.texts, text{element, content})
}

// after returns the content of the cell behind the last one that has exactly this content.
func (d document) after(content string) string {
	for i := len(d.texts) - 2; i >= 0; i-- {
		if (d.texts[i] == text{"td", content}) {
			return d.texts[i+1].content
		}
	}
	return ""
}

// contains reports whether some element of that name has content in it.
func (d document) contains(element, content string) bool {
	return slices.ContainsFunc(d.texts, func(x text) bool {
		return x.element == element && strings.Contains(x.content, content)
	})
}

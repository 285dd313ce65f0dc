package convert

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// node is a value of the input, and where it stands.
type node struct {
	kind    kind
	text    string // of a scalar
	quoted  bool   // of a scalar: it is text, whatever it looks like
	line    int    // from 1; 0 for a value that stands nowhere
	file    string // empty for that of the configuration
	entries []*entry
	items   []*node
}

type kind int

const (
	null kind = iota
	scalar
	mapping
	list
)

// entry is a key of a mapping with its value.
type entry struct {
	key   string // as written
	line  int
	value *node
}

// get returns what stands under a key, nil for nothing. Case does not matter: Falcosidekick has its
// configuration read by viper, which makes all keys lower case. Of two that differ in case only, the last counts.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for i := len(n.entries) - 1; i >= 0; i-- {
		if strings.EqualFold(n.entries[i].key, key) {
			return n.entries[i].value
		}
	}
	return nil
}

// set puts value under a key, in place of what is there.
func (n *node) set(key string, value *node) {
	for i := len(n.entries) - 1; i >= 0; i-- {
		if strings.EqualFold(n.entries[i].key, key) {
			n.entries[i].value, n.entries[i].line = value, value.line
			return
		}
	}
	n.entries = append(n.entries, &entry{key: key, line: value.line, value: value})
}

// Error is an input that can not be read as YAML at all.
type Error struct {
	File         string
	Line, Column int // from 1; 0 for the file as a whole
	Message      string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Bounds of an input. Aliases can make a small file large, and deep nesting costs the parser its stack.
const (
	maxSize   = 1 << 20
	maxTokens = 100_000
	maxDepth  = 64
	maxNodes  = 100_000
)

// read returns the mapping that data holds.
func read(name string, data []byte) (root *node, err error) {
	defer func() {
		if r := recover(); r != nil { // of the library, which has been seen to
			root, err = nil, &Error{File: name, Message: "this YAML breaks its parser"}
		}
	}()
	if len(data) > maxSize {
		return nil, &Error{File: name, Message: "larger than 1 MiB"}
	}
	// The parser counts a comment that ends with \r\n as two lines.
	text := strings.ReplaceAll(strings.TrimPrefix(string(data), "\ufeff"), "\r\n", "\n")
	for number, line := range strings.Split(text, "\n") {
		if !utf8.ValidString(line) {
			return nil, &Error{name, number + 1, 1, "not UTF-8"}
		}
	}
	tokens := lexer.Tokenize(text)
	if err := bounded(name, tokens); err != nil {
		return nil, err
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, unreadable(name, err)
	}
	t := &treeMaker{name: name, anchors: map[string]*node{}}
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case root != nil:
			return nil, &Error{File: name, Message: "more than one YAML document; want the one that Falcosidekick reads"}
		default:
			if root, err = t.node(doc.Body, 0); err != nil {
				return nil, err
			}
		}
	}
	if root == nil || root.kind == null {
		return nil, &Error{File: name, Message: "empty: want the configuration of a Falcosidekick"}
	}
	if root.kind != mapping {
		return nil, &Error{name, root.line, 1, "want keys and values, such as `slack:`"}
	}
	return root, nil
}

// bounded refuses what the parser could not bear.
func bounded(name string, tokens token.Tokens) error {
	if len(tokens) > maxTokens {
		return &Error{File: name, Message: "too long: the file has too many keys and values"}
	}
	flow := 0                        // depth of [ and {
	var blocks []int                 // columns at which the blocks around a token begin
	before := token.New("", "", nil) // the token before
	for _, tk := range tokens {
		switch tk.Type {
		case token.InvalidType:
			return &Error{name, tk.Position.Line, tk.Position.Column, "not YAML"}
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow = max(0, flow-1)
		case token.SequenceEntryType:
			blocks = enter(blocks, tk.Position.Column)
		case token.MappingKeyType, token.AnchorType, token.TagType:
			blocks = append(blocks, tk.Position.Column)
		case token.MappingValueType:
			if before.Position != nil && flow == 0 {
				blocks = enter(blocks, before.Position.Column)
			}
		}
		if flow+len(blocks) > maxDepth {
			return &Error{name, tk.Position.Line, tk.Position.Column, "nested too deeply"}
		}
		before = tk
	}
	return nil
}

// enter returns the blocks around one that begins at column.
func enter(blocks []int, column int) []int {
	for len(blocks) > 0 && blocks[len(blocks)-1] >= column {
		blocks = blocks[:len(blocks)-1]
	}
	return append(blocks, column)
}

// unreadable words an error of the parser. What it quotes of the input could be a secret, and is left out.
func unreadable(name string, err error) error {
	e := &Error{File: name, Message: "not YAML"}
	if y, ok := errors.AsType[yaml.Error](err); ok {
		e.Message = "not YAML: " + y.GetMessage()
		if tk := y.GetToken(); tk != nil && tk.Position != nil {
			e.Line, e.Column = tk.Position.Line, tk.Position.Column
		}
	}
	if strings.ContainsAny(e.Message, "\"'`\n") {
		e.Message = "not YAML"
	}
	return e
}

// treeMaker converts the trees of the parser.
type treeMaker struct {
	name    string
	anchors map[string]*node
	nodes   int
}

func (t *treeMaker) node(n ast.Node, depth int) (*node, error) {
	if t.nodes++; t.nodes > maxNodes || depth > maxDepth {
		return nil, &Error{File: t.name, Message: "too long, or nested too deeply"}
	}
	if n == nil || n.Type() == ast.NullType {
		return &node{}, nil
	}
	made := &node{line: lineOf(n)}
	switch n := n.(type) {
	case *ast.AnchorNode:
		value, err := t.node(n.Value, depth+1)
		if err == nil {
			t.anchors[n.Name.GetToken().Value] = value
		}
		return value, err
	case *ast.AliasNode:
		value, ok := t.anchors[n.Value.GetToken().Value]
		if !ok {
			return nil, &Error{t.name, made.line, 1, "an alias of an anchor that is not there"}
		}
		if t.nodes += size(value); t.nodes > maxNodes {
			return nil, &Error{t.name, made.line, 1, "too long: aliases of aliases"}
		}
		return value, nil
	case *ast.TagNode:
		return t.node(n.Value, depth+1)
	case ast.MapNode:
		made.kind = mapping
		return made, t.entries(made, n, depth)
	case *ast.SequenceNode:
		made.kind = list
		for _, item := range n.Values {
			value, err := t.node(item, depth+1)
			if err != nil {
				return nil, err
			}
			made.items = append(made.items, value)
		}
	case *ast.LiteralNode:
		made.kind, made.text, made.quoted = scalar, n.Value.Value, true
	default:
		tk := n.GetToken()
		made.kind, made.text = scalar, tk.Value
		made.quoted = tk.Type == token.DoubleQuoteType || tk.Type == token.SingleQuoteType
	}
	return made, nil
}

// entries adds those of m. Of what merge keys bring, keys beside them win, and then what comes first.
func (t *treeMaker) entries(made *node, m ast.MapNode, depth int) error {
	var own, brought []*entry
	for values := m.MapRange(); values.Next(); {
		value, err := t.node(values.Value(), depth+1)
		if err != nil {
			return err
		}
		if values.Key().IsMergeKey() {
			maps := []*node{value}
			if value.kind == list {
				maps = value.items
			}
			for _, merged := range maps {
				if merged.kind != mapping {
					return &Error{t.name, values.Key().GetToken().Position.Line, values.Key().GetToken().Position.Column, "a merge of what is no mapping"}
				}
				brought = append(brought, merged.entries...)
			}
			continue
		}
		tk := values.Key().GetToken()
		own = append(own, &entry{key: tk.Value, line: tk.Position.Line, value: value})
	}
	taken := map[string]bool{}
	for _, e := range own {
		taken[e.key] = true
	}
	for _, e := range brought {
		if !taken[e.key] {
			taken[e.key] = true
			made.entries = append(made.entries, e)
		}
	}
	made.entries = append(made.entries, own...)
	return nil
}

func lineOf(n ast.Node) int {
	if tk := n.GetToken(); tk != nil && tk.Position != nil {
		return tk.Position.Line
	}
	return 0
}

// size is how many nodes n has.
func size(n *node) int {
	total := 1
	for _, e := range n.entries {
		total += size(e.value)
	}
	for _, item := range n.items {
		total += size(item)
	}
	return total
}

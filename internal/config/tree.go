package config

import (
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// treeOf converts a tree of the parser. around is the key that n is the value of, nil for none.
func treeOf(n ast.Node, around *entry) *node {
	converted := &node{kind: null, line: 1, column: 1}
	if around != nil {
		converted.line, converted.column = around.line, around.column
	}
	if n == nil || n.Type() == ast.NullType {
		return converted // its token, if any, stands anywhere
	}
	tk := n.GetToken()
	converted.line, converted.column = tk.Position.Line, tk.Position.Column
	switch n := n.(type) {
	case ast.MapNode:
		converted.kind = mapping
		converted.addEntries(n)
		if tk.Type == token.MappingValueType && len(converted.entries) > 0 {
			// A block has no token of its own: it begins with its first key.
			converted.line, converted.column = converted.entries[0].line, converted.entries[0].column
		}
	case *ast.SequenceNode:
		converted.kind = list
		for _, item := range n.Values {
			converted.items = append(converted.items, treeOf(item, around))
		}
	case *ast.LiteralNode:
		converted.kind, converted.text, converted.style = scalar, n.Value.Value, literalBlock
		if tk.Type == token.FoldedType {
			converted.style = foldedBlock
		}
	default:
		converted.kind, converted.text = scalar, tk.Value
		switch tk.Type {
		case token.DoubleQuoteType:
			converted.style = doubleQuoted
		case token.SingleQuoteType:
			converted.style = singleQuoted
		}
	}
	return converted
}

func (n *node) addEntries(m ast.MapNode) {
	for values := m.MapRange(); values.Next(); {
		key := values.Key().GetToken()
		e := &entry{key: key.Value, line: key.Position.Line, column: key.Position.Column}
		e.value = treeOf(values.Value(), e)
		n.entries = append(n.entries, e)
	}
}

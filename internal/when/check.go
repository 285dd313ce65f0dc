package when

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/parser"
)

// reads is what an expression looks at.
type reads struct {
	names      map[string]bool
	fields     []string // fields["x"], sorted
	allFields  bool     // fields otherwise
	techniques []Literal
}

// check parses expression, says what is not part of the language, and collects what it reads. It
// leaves the types of what remains to the library.
func check(expression string) (reads, error) {
	config := conf.New(&environment{})
	config.MaxNodes = maxNodes
	for name := range config.Builtins {
		config.Disabled[name] = !slices.Contains(functions(), name)
	}
	tree, err := parser.ParseWithConfig(expression, config)
	if err != nil {
		return reads{}, plainError(expression, err)
	}
	c := checker{
		expression: expression, names: map[string]bool{}, fields: map[string]bool{}, compared: map[ast.Node]bool{},
	}
	c.check(tree.Node)
	if c.wrong != nil {
		return reads{}, c.wrong
	}
	return reads{
		names: c.names, fields: slices.Sorted(maps.Keys(c.fields)), allFields: c.allFields, techniques: c.techniques,
	}, nil
}

type checker struct {
	expression  string
	inPredicate bool

	names      map[string]bool
	fields     map[string]bool
	allFields  bool
	techniques []Literal
	compared   map[ast.Node]bool // severities that are compared with severities
	wrong      *Error            // the first mistake
}

func (c *checker) errorf(at ast.Node, format string, args ...any) {
	if c.wrong == nil {
		line, column := position(c.expression, at.Location().From)
		c.wrong = &Error{line, column, fmt.Sprintf(format, args...)}
	}
}

func (c *checker) check(node ast.Node) {
	if c.wrong != nil {
		return
	}
	switch n := node.(type) {
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.StringNode, *ast.PointerNode:
	case *ast.NilNode:
		c.errorf(n, `there is no nil: what an alert does not say is ""`)
	case *ast.IdentifierNode:
		c.identifier(n)
	case *ast.UnaryNode:
		c.check(n.Node)
	case *ast.BinaryNode:
		c.binary(n)
	case *ast.ConditionalNode:
		c.all(n.Cond, n.Exp1, n.Exp2)
	case *ast.ArrayNode:
		c.all(n.Nodes...)
	case *ast.MemberNode:
		c.member(n)
	case *ast.ChainNode:
		c.errorf(n, `there is no "?.": a field that an alert does not have is ""`)
	case *ast.BuiltinNode:
		c.builtin(n)
	case *ast.PredicateNode:
		c.predicate(n)
	case *ast.CallNode:
		c.call(n)
	case *ast.VariableDeclaratorNode, *ast.SequenceNode:
		c.errorf(n, "want one expression, without let and ;")
	default:
		c.errorf(n, "not part of this language")
	}
}

func (c *checker) all(nodes ...ast.Node) {
	for _, node := range nodes {
		c.check(node)
	}
}

func (c *checker) identifier(n *ast.IdentifierNode) {
	c.names[n.Value] = true
	switch {
	case n.Value == "fields":
		c.allFields = true
	case n.Value == "severity" && !c.compared[n]:
		c.errorf(n, "severity can only be compared, with one of %s", list(levels()))
	case isLevel(n) && !c.compared[n]:
		c.errorf(n, "%s is a severity and can only be compared with severity; for a text write %q", n.Value, n.Value)
	case !slices.Contains(Names(), n.Value) && !isLevel(n):
		c.errorf(n, "unknown name %s; known are %s", n.Value, list(Names()))
	}
}

func (c *checker) call(n *ast.CallNode) {
	name, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		c.errorf(n, "there are no methods; functions are %s", list(functions()))
		return
	}
	c.errorf(n, "unknown function %s; known are %s", name.Value, list(functions()))
}

// builtin also meets functions that are disabled: the parser knows those with a predicate by name.
func (c *checker) builtin(n *ast.BuiltinNode) {
	switch {
	case !slices.Contains(functions(), n.Name):
		c.errorf(n, "unknown function %s; known are %s", n.Name, list(functions()))
	case n.Name == "count" && len(n.Arguments) == 1:
		c.errorf(n, "count takes a list and a condition; len counts all elements")
	}
	c.all(n.Arguments...)
}

// predicate refuses a predicate within a predicate: n of them over m tags take m^n steps.
func (c *checker) predicate(n *ast.PredicateNode) {
	if c.inPredicate {
		c.errorf(n, "a condition on each element can not hold another one")
		return
	}
	c.inPredicate = true
	c.check(n.Node)
	c.inPredicate = false
}

// member takes fields["x"] and fields.x, and tells how a name with dots is written, as all of
// Falco's own fields have them.
func (c *checker) member(n *ast.MemberNode) {
	if base, ok := n.Node.(*ast.IdentifierNode); ok && base.Value == "fields" {
		c.names["fields"] = true
		if name, ok := n.Property.(*ast.StringNode); ok {
			c.fields[name.Value] = true
			return
		}
		c.allFields = true
		c.check(n.Property)
		return
	}
	switch root, path := dotted(n); {
	case root == nil:
		c.errorf(n, "only fields has members")
	case root.Value == "fields":
		c.errorf(root, "write fields[%q]", path)
	case root.Value == "tags":
		c.errorf(root, `tags is a list: write "x" in tags, or any(tags, # startsWith "x")`)
	case slices.Contains(Names(), root.Value) || isLevel(root):
		c.errorf(root, "%s has no members", root.Value)
	case root.Value == "$env":
		c.check(root)
	default:
		c.errorf(root, "unknown name %s: a Falco field is written fields[%q]", root.Value, root.Value+"."+path)
	}
}

// dotted returns the name that a chain of members begins with and the rest of it, joined with dots.
func dotted(n *ast.MemberNode) (root *ast.IdentifierNode, path string) {
	var parts []string
	for {
		if part, ok := n.Property.(*ast.StringNode); ok {
			parts = append(parts, part.Value)
		}
		switch base := n.Node.(type) {
		case *ast.MemberNode:
			n = base
		case *ast.IdentifierNode:
			slices.Reverse(parts)
			return base, strings.Join(parts, ".")
		default:
			return nil, ""
		}
	}
}

func (c *checker) binary(n *ast.BinaryNode) {
	switch n.Operator {
	case "==", "!=", "<", "<=", ">", ">=", "in":
		c.compare(n)
	case "matches":
		if _, ok := n.Right.(*ast.StringNode); !ok {
			c.errorf(n, "want a pattern that is written out after matches")
		}
	case "..", "**", "^", "??":
		c.errorf(n, "there is no %s", n.Operator)
	}
	c.check(n.Left)
	if c.presence(n) {
		return
	}
	c.check(n.Right)
}

// presence reports whether n asks for one field that is written out: "x" in fields.
func (c *checker) presence(n *ast.BinaryNode) bool {
	name, ok := n.Left.(*ast.StringNode)
	if !ok || n.Operator != "in" || !isName(n.Right, "fields") {
		return false
	}
	c.names["fields"] = true
	c.fields[name.Value] = true
	return true
}

// compare looks at both sides of a comparison, or at the elements of a list after in.
func (c *checker) compare(n *ast.BinaryNode) {
	others := []ast.Node{n.Right}
	if array, ok := n.Right.(*ast.ArrayNode); ok {
		others = array.Nodes
	}
	for _, other := range others {
		c.pair(n.Left, other)
		c.pair(other, n.Left)
	}
}

// pair looks at a as something that is compared with b.
func (c *checker) pair(a, b ast.Node) {
	if isName(a, "severity") {
		if text, ok := b.(*ast.StringNode); ok && slices.Contains(levels(), text.Value) {
			c.errorf(b, "write severities without quotes: %s", text.Value)
		} else if !isLevel(b) {
			c.errorf(b, "severity compares with one of %s", list(levels()))
		}
		c.compared[a], c.compared[b] = true, true
		return
	}
	name, ok := a.(*ast.IdentifierNode)
	if !ok || !slices.Contains(Names(), name.Value) && !isLevel(a) {
		return
	}
	if isLevel(b) && !isLevel(a) {
		if name.Value == "score" {
			c.errorf(b, "score is a number, and %s a severity", b)
		} else {
			c.errorf(b, "only severity compares with a severity; for a text write %q", b)
		}
		return
	}
	text, ok := b.(*ast.StringNode)
	if !ok {
		return
	}
	if name.Value == "technique" && text.Value != "" {
		line, column := position(c.expression, text.Location().From)
		c.techniques = append(c.techniques, Literal{text.Value, line, column})
	}
	if known := values(name.Value); known != nil && text.Value != "" && !slices.Contains(known, text.Value) {
		c.errorf(b, "%s is never %q; known are %s", name.Value, text.Value, list(known))
	}
}

func isName(n ast.Node, name string) bool {
	identifier, ok := n.(*ast.IdentifierNode)
	return ok && identifier.Value == name
}

// isLevel reports whether n is the bare name of a severity.
func isLevel(n ast.Node) bool {
	identifier, ok := n.(*ast.IdentifierNode)
	return ok && slices.Contains(levels(), identifier.Value)
}

func list(words []string) string { return strings.Join(words, ", ") }

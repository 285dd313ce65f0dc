package readers

import (
	"fmt"
	"slices"
	"strings"
)

// condition is what of a Falco condition has a meaning outside of it.
type condition struct {
	checks []check
	macros []string // identifiers that stand alone
	lists  []string // identifiers that stand for the values of in, intersects and pmatch
}

// check is a comparison of a field.
type check struct {
	field, argument string
	hasArgument     bool
	transformers    []string
	operator        string
	values          []string
}

// parseCondition reads a condition by the grammar of falcosecurity/libs 0.17.1
// (userspace/libsinsp/filter/parser.h), which is that of Falco 0.38: what it accepts, later ones do
// too. Later operators (regex, oneof) and transformers (len, join) are refused.
func parseCondition(text string) (c condition, err error) {
	p := &conditionParser{rest: text, whole: text}
	defer func() {
		if stop, ok := recover().(parseError); ok {
			err = fmt.Errorf("condition, at %q: %s", excerpt(p.rest), string(stop))
		}
	}()
	p.or()
	if p.rest != "" {
		p.fail("unexpected text, expecting 'or' or 'and'")
	}
	return p.found, nil
}

type parseError string

type conditionParser struct {
	whole, rest string
	depth       int
	found       condition
}

func (p *conditionParser) fail(why string) { panic(parseError(why)) }

func excerpt(s string) string {
	if len(s) > 40 {
		s = s[:40]
	}
	return s
}

const blanks = " \t\b\r\n"

func (p *conditionParser) blank() bool {
	before := len(p.rest)
	p.rest = strings.TrimLeft(p.rest, blanks)
	return len(p.rest) < before
}

// take removes s if the rest begins with it.
func (p *conditionParser) take(s string) bool {
	rest, ok := strings.CutPrefix(p.rest, s)
	if ok {
		p.rest = rest
	}
	return ok
}

// nested counts levels: Falco refuses a hundred.
func (p *conditionParser) nested(parse func()) {
	if p.depth++; p.depth > 90 {
		p.fail("nested too deeply")
	}
	parse()
	p.depth--
}

func (p *conditionParser) or() { p.chain("or", func() { p.chain("and", p.not) }) }

// chain is one or more operands with the word between them. Behind the word stands a blank or an
// opening parenthesis.
func (p *conditionParser) chain(word string, operand func()) {
	p.blank()
	p.nested(operand)
	p.blank()
	for p.take(word) {
		switch {
		case p.blank():
			p.nested(operand)
		case p.take("("):
			p.embedded()
		default:
			p.fail("expected a blank or '(' after '" + word + "'")
		}
		p.blank()
	}
}

func (p *conditionParser) not() {
	p.blank()
	for strings.HasPrefix(p.rest, "not") && len(p.rest) > 3 && strings.IndexByte(blanks, p.rest[3]) >= 0 {
		p.take("not")
		p.blank()
	}
	if p.take("not(") {
		p.embedded()
		return
	}
	p.check()
}

func (p *conditionParser) embedded() {
	p.nested(p.or)
	p.blank()
	if !p.take(")") {
		p.fail("expected ')'")
	}
}

func (p *conditionParser) check() {
	if p.take("(") {
		p.embedded()
		return
	}
	c := check{}
	if p.operand(&c) {
		p.comparison(&c)
		p.found.checks = append(p.found.checks, c)
		return
	}
	word := p.identifier()
	if word == "" {
		p.fail("expected '(', a field or a macro")
	}
	p.found.macros = append(p.found.macros, word)
}

// operand is a field, or a transformer around one.
func (p *conditionParser) operand(c *check) bool {
	for _, t := range []string{"tolower(", "toupper(", "b64("} {
		if p.take(t) {
			p.blank()
			c.transformers = append(c.transformers, strings.TrimSuffix(t, "("))
			if !p.operand(c) {
				p.fail("expected a field or a transformer")
			}
			p.blank()
			if !p.take(")") {
				p.fail("expected ')' behind the transformer")
			}
			return true
		}
	}
	name := p.fieldName()
	if name == "" {
		return false
	}
	c.field = name
	if p.take("[") {
		c.hasArgument = true
		if c.argument = p.quoted(); c.argument == "" {
			c.argument = p.while(func(b byte) bool { return strings.IndexByte("[]\"'"+blanks, b) < 0 })
		}
		if c.argument == "" || !p.take("]") {
			p.fail("expected an argument and ']'")
		}
	}
	return true
}

// comparison is an operator and what stands right of it.
func (p *conditionParser) comparison(c *check) {
	p.blank()
	if p.take("exists") {
		c.operator = "exists"
		return
	}
	for _, op := range []string{"<=", "<", ">=", ">"} {
		if p.take(op) {
			c.operator = op
			p.blank()
			number := p.while(func(b byte) bool { return strings.IndexByte("+-.0123456789abcdefxABCDEFX", b) >= 0 })
			if number == "" {
				p.fail("expected a number")
			}
			c.values = []string{number}
			return
		}
	}
	for _, op := range []string{
		"==", "=", "!=", "glob ", "iglob ", "contains ", "icontains ", "bcontains ", "startswith ", "bstartswith ", "endswith ",
	} {
		word := strings.TrimSpace(op)
		if !strings.HasPrefix(p.rest, word) || word != op && strings.IndexByte(blanks, byteAt(p.rest, len(word))) < 0 {
			continue
		}
		p.take(word)
		c.operator = word
		p.blank()
		c.values = []string{p.value()}
		return
	}
	for _, op := range []string{"intersects", "in", "pmatch"} {
		if p.take(op) {
			c.operator = op
			p.blank()
			p.list(c)
			return
		}
	}
	p.fail("expected an operator")
}

func byteAt(s string, i int) byte {
	if i < len(s) {
		return s[i]
	}
	return 'x'
}

func (p *conditionParser) list(c *check) {
	if !p.take("(") {
		name := p.identifier()
		if name == "" {
			p.fail("expected a list in parentheses or its name")
		}
		p.found.lists = append(p.found.lists, name)
		return
	}
	p.blank()
	for !p.take(")") {
		if len(c.values) > 0 {
			if !p.take(",") {
				p.fail("expected ',' or ')'")
			}
			p.blank()
		}
		c.values = append(c.values, p.value())
		p.blank()
	}
	// In a list a name may be that of another list; Falco puts in its items.
	p.found.lists = append(p.found.lists, slices.DeleteFunc(slices.Clone(c.values), func(v string) bool { return !isListName(v) })...)
}

// isListName is a convention of these readers: our lists are named so. A value of a list that only
// looks like a name (execve) is a value for Falco too if no list has that name.
func isListName(v string) bool { return strings.HasPrefix(v, "filelessd_") }

package readers

import "strings"

// value is quoted, or of bytes that need no quotes.
func (p *conditionParser) value() string {
	if v := p.quoted(); v != "" {
		return v
	}
	v := p.while(func(b byte) bool { return strings.IndexByte("()\"'=,"+blanks, b) < 0 })
	if v == "" {
		p.fail("expected a value")
	}
	return v
}

// quoted returns a quoted text with its quotes, or nothing.
func (p *conditionParser) quoted() string {
	if p.rest == "" || p.rest[0] != '"' && p.rest[0] != '\'' {
		return ""
	}
	for i := 1; i < len(p.rest); i++ {
		switch p.rest[i] {
		case '\\':
			i++
		case p.rest[0]:
			v := p.rest[:i+1]
			p.rest = p.rest[i+1:]
			return v
		}
	}
	p.fail("the quotes do not end")
	return ""
}

func (p *conditionParser) while(ok func(byte) bool) string {
	i := 0
	for i < len(p.rest) && ok(p.rest[i]) {
		i++
	}
	v := p.rest[:i]
	p.rest = p.rest[i:]
	return v
}

func isLetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }

func isWordByte(b byte) bool { return isLetter(b) || b >= '0' && b <= '9' || b == '_' }

func (p *conditionParser) identifier() string {
	if p.rest == "" || !isLetter(p.rest[0]) {
		return ""
	}
	return p.while(isWordByte)
}

// fieldName is two or more identifiers with dots between them.
func (p *conditionParser) fieldName() string {
	start := p.rest
	name := p.identifier()
	for name != "" && len(p.rest) > 1 && p.rest[0] == '.' && isLetter(p.rest[1]) {
		p.rest = p.rest[1:]
		name += "." + p.identifier()
	}
	if !strings.Contains(name, ".") {
		p.rest = start
		return ""
	}
	return name
}

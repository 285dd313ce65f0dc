package config

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/filelessd/filelessd/internal/smallfile"
)

const (
	maxSize   = smallfile.Most // bytes of a configuration
	maxTokens = 50_000         // in it: the parser takes time by their square
	maxDepth  = 32             // of lists and mappings in each other
)

// parse reads YAML into a document. It takes one document without anchors, aliases, merge keys,
// tags and directives: none is worth a configuration that says something else than it shows, and
// aliases can blow up.
//
// secretKeys are the names of keys that hold secrets: without a tree, that is all there is to tell
// what a message must not show.
func parse(name string, data []byte, secretKeys map[string]bool) (*document, *Problem) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	d := &document{name: name}
	if len(data) > maxSize {
		return nil, &Problem{Pos: Pos{File: name}, Message: "larger than 1 MiB"}
	}
	// The parser counts a comment that ends with \r\n as two lines.
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	for number, line := range strings.Split(text, "\n") {
		if column, message := notText(line); message != "" {
			return nil, &Problem{Pos: Pos{name, number + 1, column}, Message: message}
		}
		d.lines = append(d.lines, []rune(line))
	}
	root, err := d.read(text)
	if err != nil {
		return nil, d.unreadable(err, secretKeys)
	}
	d.root = root
	return d, nil
}

// read has the library parse text, and returns the one document in it.
func (d *document) read(text string) (root *node, err error) {
	defer func() {
		if r := recover(); r != nil {
			root, err = nil, fmt.Errorf("this YAML breaks its parser: %v", r)
		}
	}()
	tokens := lexer.Tokenize(text)
	if err := d.checkTokens(tokens); err != nil {
		return nil, err
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, err
	}
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case root != nil:
			second := treeOf(doc.Body, nil)
			return nil, &unsupported{second.line, second.column, "a second document: a configuration is one"}
		default:
			root = treeOf(doc.Body, nil)
		}
	}
	if root == nil {
		return nil, errors.New("empty: want at least sources and sinks")
	}
	if root.kind != mapping {
		return nil, &unsupported{root.line, root.column, "want keys and values, such as `sinks:`"}
	}
	return root, nil
}

// notText says where in a line is what is not text, and why: the parser would replace it without a
// word. Of a good line the message is empty.
func notText(line string) (column int, message string) {
	for i, r := range line {
		column++
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(line[i:], "\ufffd"):
			return column, "not UTF-8"
		case unicode.IsControl(r) && r != '\t', r == '\ufeff':
			return column, "a control character"
		}
	}
	return 0, ""
}

// unsupported is YAML that a configuration can not use.
type unsupported struct {
	line, column int
	message      string
}

func unsupportedAt(tk *token.Token, message string) error {
	return &unsupported{tk.Position.Line, tk.Position.Column, message}
}

func (e *unsupported) Error() string { return e.message }

// checkTokens refuses what is unsupported, what is nested so deeply that the parser would run out
// of stack, and where the parser changes a value without a word.
func (d *document) checkTokens(tokens token.Tokens) error {
	if len(tokens) > maxTokens {
		return unsupportedAt(tokens[maxTokens], "too long: the file has too many keys and values")
	}
	flow := 0                        // depth of [ and {
	var blocks []int                 // columns at which the blocks around a token begin
	before := token.New("", "", nil) // the token before
	for _, tk := range tokens {
		if message := refused(tk, before); message != "" {
			return unsupportedAt(tk, message)
		}
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow = max(0, flow-1)
		case token.SequenceEntryType:
			blocks = enter(blocks, tk.Position.Column)
		case token.MappingValueType:
			if before.Position != nil && flow == 0 {
				blocks = enter(blocks, before.Position.Column)
			}
		case token.DoubleQuoteType:
			if !d.goodEscapes(tk) {
				return unsupportedAt(tk, `\x, \u or \U without its hexadecimal digits`)
			}
		}
		if flow+len(blocks) > maxDepth {
			return unsupportedAt(tk, "nested too deeply")
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

// refused says why a token is unsupported; empty if it is not.
func refused(tk, before *token.Token) string {
	switch tk.Type {
	case token.InvalidType:
		return tk.Error
	case token.AnchorType, token.AliasType, token.MergeKeyType:
		return "YAML takes this for an anchor, alias or merge key, which are not supported: " +
			"write the value out, or put the text in quotes"
	case token.TagType:
		return "YAML takes this ! for a tag: put the text in quotes"
	case token.DirectiveType:
		return "directives are not supported"
	case token.MappingKeyType:
		return "write a key as `key: value`"
	case token.StringType:
		block := before.Type == token.LiteralType || before.Type == token.FoldedType
		if !block && strings.Contains(strings.TrimRight(tk.Origin, " \t\r\n"), "\t") {
			return "a tab: use spaces, or put the text in quotes"
		}
	}
	return ""
}

// goodEscapes reports whether the escapes of a text in double quotes have their digits.
func (d *document) goodEscapes(tk *token.Token) bool {
	for line, from := tk.Position.Line, tk.Position.Column; line <= len(d.lines); line, from = line+1, 0 {
		text := d.line(line)
		for i := from; i < len(text); i++ {
			switch {
			case text[i] == '"':
				return true
			case text[i] != '\\':
				continue
			case i+1 < len(text):
				digits := map[rune]int{'x': 2, 'u': 4, 'U': 8}[text[i+1]]
				if len(hexadecimal.FindString(string(text[min(i+2, len(text)):]))) < digits {
					return false
				}
			}
			i++
		}
	}
	return true
}

var hexadecimal = regexp.MustCompile(`^[0-9A-Fa-f]{0,8}`)

// unreadable words an error of the parser.
func (d *document) unreadable(err error, secretKeys map[string]bool) *Problem {
	p := &Problem{Pos: Pos{File: d.name}, Message: err.Error()}
	if e, ok := errors.AsType[*unsupported](err); ok {
		p.Pos.Line, p.Pos.Column = e.line, e.column
	}
	if e, ok := errors.AsType[yaml.Error](err); ok {
		p.Message = e.GetMessage()
		if tk := e.GetToken(); tk != nil && tk.Position != nil {
			p.Pos.Line, p.Pos.Column = tk.Position.Line, tk.Position.Column
		}
	}
	line := string(d.line(p.Pos.Line))
	p.Message = plainWords(p.Message, line)
	if !d.mayBeSecret(p.Pos.Line, secretKeys) {
		p.Excerpt = d.excerpt(place{line: p.Pos.Line, column: p.Pos.Column, key: line})
	}
	return p
}

// mayBeSecret reports whether the text of a line may be part of a secret: one of the keys on it or
// on the nearest line above that has any, or a key around those, looks like that.
func (d *document) mayBeSecret(number int, secretKeys map[string]bool) bool {
	for indent := maxSize; number > 0 && indent > 0; number-- {
		line := string(d.line(number))
		keys := keyInText.FindAllStringSubmatch(line, -1)
		before := len(line) - len(strings.TrimLeft(line, " -"))
		if len(keys) == 0 || before >= indent {
			continue
		}
		indent = before
		for _, key := range keys {
			if secretKeys[key[1]] || secretWord.MatchString(key[1]) {
				return true
			}
		}
	}
	return false
}

var (
	keyInText  = regexp.MustCompile(`([A-Za-z0-9_.-]+)["']?\s*:`)
	secretWord = regexp.MustCompile(`(?i)token|secret|pass|key|auth|cred|url|dsn`)
)

// plainWords words what the parser says the way a user thinks.
func plainWords(message, line string) string {
	switch {
	case strings.Contains(message, "tab character"), strings.Contains(message, "'\t'"):
		return "a tab: YAML is indented with spaces"
	case strings.HasPrefix(message, "mapping value is not allowed"):
		return `a second ": " on the line: put a text that holds one in quotes`
	case strings.HasPrefix(message, "value is not allowed in this context. map key-value"):
		return "text behind a quote: put the whole text in quotes"
	case strings.HasPrefix(message, "value is not allowed"):
		return "not expected here: look at how this line and those above it are indented"
	case strings.HasSuffix(message, "must be specified") && strings.Contains(line, "${"):
		return "put ${...} in quotes inside of { } and [ ]"
	case strings.HasSuffix(message, "must be specified"):
		return strings.TrimSuffix(message, " must be specified") + " is missing"
	case strings.HasPrefix(message, "found unknown escape character"):
		return strings.TrimPrefix(message, "found ") + ": write it twice (\\\\), or use single quotes"
	case strings.HasPrefix(message, "could not find end character of"):
		return "the quote is not closed"
	case strings.HasPrefix(message, "could not find flow mapping end"), strings.HasPrefix(message, "sequence end token"):
		return "the bracket is not closed"
	case strings.HasPrefix(message, "non-map value"), strings.HasPrefix(message, "unexpected key name"):
		return "want `key: value`"
	default:
		return message
	}
}

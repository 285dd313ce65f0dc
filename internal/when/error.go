package when

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/file"
)

// Error is a mistake in an expression.
type Error struct {
	Line, Column int // from 1; the column counts characters
	Message      string
}

func (e *Error) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Message) }

// position returns where the character of that index (from 0) stands in expression.
func position(expression string, index int) (line, column int) {
	line, column = 1, 1
	for _, r := range expression {
		if index--; index < 0 {
			break
		}
		if r == '\n' {
			line, column = line+1, 1
		} else {
			column++
		}
	}
	return line, column
}

// plainError words an error of the library the way an operator thinks.
func plainError(expression string, err error) *Error {
	at, ok := errors.AsType[*file.Error](err)
	if !ok { // about the whole, such as "expected bool, but got int"
		return &Error{1, 1, plainMessage(err.Error())}
	}
	line, column := position(expression, at.From)
	return &Error{line, column, plainMessage(at.Message)}
}

func plainMessage(message string) string {
	message, _, _ = strings.Cut(strings.TrimSpace(message), "\n")
	for _, p := range phrases() {
		groups := p.pattern.FindStringSubmatch(message)
		if groups == nil {
			continue
		}
		words := p.words
		for i, group := range groups {
			n := strconv.Itoa(i)
			words = strings.ReplaceAll(words, "<"+n+">", typeName(group))
			words = strings.ReplaceAll(words, "$"+n, group)
		}
		return words
	}
	return message
}

// typeName is what a Go type is called here.
func typeName(goType string) string {
	switch goType {
	case "bool":
		return "true or false"
	case "int", "float64":
		return "a number"
	case "string":
		return "a string"
	case "[]string", "[]interface {}", "[]int", "[]float64", "[]bool":
		return "a list"
	case "map[string]string":
		return "fields"
	case "unknown":
		return "one of several types"
	default:
		return goType
	}
}

// A phrase words a message of the library anew: $1 stands for a group of the pattern, <1> for the
// type that it names.
type phrase struct {
	pattern *regexp.Regexp
	words   string
}

func phrases() []phrase {
	var phrases []phrase
	for _, p := range [][2]string{
		{`^expected (.*), but got (.*)$`, "want <1>, got <2>"},
		{`^invalid operation: in \(mismatched types (.*) and (.*)\)$`, "in takes a list, got <2>; a part of a text: contains"},
		{`^invalid operation: (\S+) \(mismatched types (.*) and (.*)\)$`, "$1 does not go with <2> and <3>"},
		{`^invalid operation: (\S+) \(mismatched type (.*)\)$`, "$1 does not go with <2>"},
		{`^cannot use (.*) as type (.*) in array$`, "the list holds <2> only, never <1>"},
		{`^cannot use (.*) as type (.*) in map key$`, "the name of a field is <2>, never <1>"},
		{`^cannot use (.*) to get an element from (.*)$`, "the name of a field is a string, never <1>"},
		{`^cannot use (.*) as argument \(type (.*)\) to call (\S+)$`, "$3 takes <2>, got <1>"},
		{`^invalid argument for (\S+) \(type (.*)\)$`, "$1 does not take <2>"},
		{`^invalid number of arguments \(expected (\d+), got (\d+)\)$`, "want $1 arguments, got $2"},
		{`^builtin (\S+) takes only array \(got (.*)\)$`, "$1 takes a list, got <2>"},
		{`^predicate should return boolean \(got (.*)\)$`, "the condition on each element: want true or false, got <1>"},
		{`^non-bool expression \(type (.*)\) used as condition$`, "the condition: want true or false, got <1>"},
		{`^unknown pointer (.*)$`, "unknown $1; the element is #"},
		{`^unexpected token EOF$`, "the expression ends too early"},
		{`^unexpected token Operator\("="\)$`, "did not expect = here; to compare, write =="},
		{`^unexpected token \w+\("(.*)"\)$`, "did not expect $1 here"},
		{`^error parsing regexp: (.*)$`, "the pattern: $1"},
		{`^literal not terminated$`, "a quote is not closed"},
		{`^unrecognized character: .* '(.*)'$`, "did not expect $1 here"},
		{`^invalid \w+ literal: strconv\.\w+: parsing "(.*)": (.*)$`, "$1: not a number: $2"},
		{`maximum allowed nodes$`, "the expression has too many parts"},
	} {
		phrases = append(phrases, phrase{regexp.MustCompile(p[0]), p[1]})
	}
	return phrases
}

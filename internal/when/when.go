// Package when is the language in which operators say which reports they mean: the `when` of a
// sink and of a match rule, as in
//
//	severity >= high && fields["k8s.ns.name"] != "sandbox"
//
// It is the comparing part of github.com/expr-lang/expr over one fixed set of names. The rest of
// that language is refused: variables, ranges, maps, nested predicates, patterns that are not
// written out, the clock. What is left takes time in proportion to the alert, gives the same
// answer every time, and has no way to look beyond the report.
//
// A mistake that would silently drop reports is worth an error at the start. So severities compare
// with severities only (the library sees plain numbers, and `score >= high` would pass), a value
// that a name never has is refused, and so is nil, since what an alert does not say is "".
package when

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"github.com/filelessd/filelessd/pkg/event"
	"github.com/filelessd/filelessd/pkg/report"
)

// A Program is a compiled expression. The nil Program and the one of an empty expression are true
// of everything. A Program may be used from several goroutines.
type Program struct {
	source string
	code   *vm.Program // nil for an empty expression
	reads  reads
}

const (
	maxLength = 4096    // bytes of an expression
	maxNodes  = 1000    // parts of an expression
	maxMemory = 1 << 16 // elements that one evaluation may allocate
)

// Compile reads an expression. An error is an *Error.
func Compile(expression string) (*Program, error) {
	p := &Program{source: expression}
	if strings.TrimSpace(expression) == "" {
		return p, nil
	}
	if len(expression) > maxLength {
		return nil, &Error{1, 1, fmt.Sprintf("longer than %d bytes", maxLength)}
	}
	reads, err := check(expression)
	if err != nil {
		return nil, err
	}
	code, err := expr.Compile(expression, options()...)
	if err != nil {
		return nil, plainError(expression, err)
	}
	p.code, p.reads = code, reads
	return p, nil
}

func options() []expr.Option {
	options := []expr.Option{
		expr.Env(&environment{}), expr.AsBool(), expr.WarnOnAny(), expr.DisableAllBuiltins(),
	}
	for _, name := range functions() {
		options = append(options, expr.EnableBuiltin(name))
	}
	return options
}

// String is the expression as written.
func (p *Program) String() string {
	if p == nil {
		return ""
	}
	return p.source
}

// Report says whether the expression is true of r. Names that a report of r's kind does not have
// are empty; its severity then is below info. An error comes from a function that could not be
// applied, such as int("x").
func (p *Program) Report(r *report.Report) (bool, error) {
	if p == nil || p.code == nil {
		return true, nil
	}
	env := newEnvironment()
	env.ID, env.Kind = r.ID, string(r.Kind)
	env.Technique, env.Verdict = string(r.Technique), string(r.Verdict)
	env.Confidence, env.Severity, env.Score = string(r.Confidence), r.Severity.Rank(), r.Score
	if r.Event != nil {
		p.setEvent(env, r.Event)
	}
	return p.run(env)
}

// Event says whether the expression is true of e before anything is known about it: kind is
// alert, and the names about the analysis are empty.
func (p *Program) Event(e *event.Event) (bool, error) {
	if p == nil || p.code == nil {
		return true, nil
	}
	env := newEnvironment()
	env.Kind, env.Severity = string(report.KindAlert), report.Severity("").Rank()
	if p.reads.names["id"] { // a hash over all of the event
		env.ID = e.ID()
	}
	p.setEvent(env, e)
	return p.run(env)
}

// Fields returns the names of the Falco fields that the expression reads, sorted, and whether it
// also reads fields by a name that is not written out.
func (p *Program) Fields() (names []string, computed bool) {
	if p == nil {
		return nil, false
	}
	return slices.Clone(p.reads.fields), p.reads.allFields
}

// Reads reports whether the expression uses name, one of Names.
func (p *Program) Reads(name string) bool { return p != nil && p.reads.names[name] }

// Techniques returns the IDs that the expression compares technique with, each where it stands.
func (p *Program) Techniques() []Literal {
	if p == nil {
		return nil
	}
	return slices.Clone(p.reads.techniques)
}

// A Literal is a string that is written out in an expression.
type Literal struct {
	Value        string
	Line, Column int // in the expression, from 1, in characters
}

func (p *Program) setEvent(env *environment, e *event.Event) {
	env.Rule, env.Priority, env.Source, env.Hostname = e.Rule, e.Priority.String(), e.Source, e.Hostname
	env.Tags = e.Tags
	switch {
	case p.reads.allFields:
		env.Fields = e.FieldMap()
	case len(p.reads.fields) > 0:
		env.Fields = make(map[string]string, len(p.reads.fields))
		for _, name := range p.reads.fields {
			if value, ok := e.Field(name); ok {
				env.Fields[name] = value
			}
		}
	}
}

func (p *Program) run(env *environment) (bool, error) {
	machine := vm.VM{MemoryBudget: maxMemory}
	result, err := machine.Run(p.code, env)
	if err != nil {
		return false, evaluationError(err)
	}
	is, ok := result.(bool)
	if !ok {
		return false, fmt.Errorf("when: got a %T, want true or false", result)
	}
	return is, nil
}

// evaluationError makes one short line of err: the library appends the expression, and quotes
// values that came from an alert.
func evaluationError(err error) error {
	message := err.Error()
	if at, ok := errors.AsType[*file.Error](err); ok {
		message = fmt.Sprintf("column %d: %s", at.Column+1, at.Message)
	}
	const most = 200
	if runes := []rune(message); len(runes) > most {
		message = string(runes[:most]) + "…"
	}
	return errors.New("when: " + report.Visible(message))
}

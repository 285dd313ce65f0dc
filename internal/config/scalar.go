package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// text returns the text of a scalar with everything filled in. After an error, which it reports,
// it is not ok.
func (d *decoder) text(p path, n *node, secret bool) (string, bool) {
	if !strings.Contains(n.text, "$") {
		return n.text, true
	}
	full, parts, index, err := expand(n.text, d.lookup)
	if err != nil {
		before := n.text[:index]
		line := strings.Count(before, "\n") + 1
		column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
		at := n.place()
		at.line, at.column, _ = d.doc.inside(n, line, column)
		if !n.public {
			at = d.place(p)
		}
		d.errorf(p, at, "%v", err)
		return "", false
	}
	if len(parts) > 0 {
		d.expansions = append(d.expansions, expansion{p, n.text, append(parts, full)})
		d.files = append(d.files, filesIn(n.text)...)
	}
	if secret && full == "" {
		d.errorf(p, d.place(p), "%s is empty", n.text)
		return "", false
	}
	return full, true
}

// scalar decodes one text by the type of v, whether it stood in quotes or not: a variable can fill
// a number, and 007 stays 007 where a text is wanted.
func (d *decoder) scalar(p path, n *node, v reflect.Value) {
	secret := v.Type() == secretType
	n.public = n.kind == scalar && (!secret || onlyReferences(n.text))
	if n.kind != scalar {
		d.errorf(p, d.place(p), "want %s, got %s", describe(v.Type()), n.kind)
		return
	}
	text, ok := d.text(p, n, secret)
	if !ok {
		return
	}
	if err := set(v, text); err != nil {
		message := err.Error()
		if errors.Is(err, errWrongType) {
			message = fmt.Sprintf("want %s, got %q", describe(v.Type()), n.text)
		}
		d.errorf(p, d.place(p), "%s", d.redact(p, message))
		return
	}
	if e := d.expanded(p); e != nil && !secret {
		e.values = append(e.values, fmt.Sprint(v.Interface()))
	}
}

// onlyReferences reports whether text is references and nothing else, so that it shows no secret.
func onlyReferences(text string) bool {
	for text != "" {
		reference, rest, ok := strings.Cut(text, "}")
		name, begins := strings.CutPrefix(reference, "${")
		if !ok || !begins || !variable.MatchString(name) && !strings.HasPrefix(name, "file:/") {
			return false
		}
		text = rest
	}
	return true
}

var errWrongType = errors.New("wrong type")

// set sets v, which isScalar, from text.
func set(v reflect.Value, text string) error {
	switch v.Type() {
	case durationType:
		x, err := time.ParseDuration(text)
		v.SetInt(int64(x))
		return wrongType(err)
	case timeType:
		x, err := parseTime(text)
		v.Set(reflect.ValueOf(x))
		return wrongType(err)
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch {
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		v.SetBool(text == "true")
		if text != "true" && text != "false" {
			return errWrongType
		}
	case v.CanInt():
		x, err := strconv.ParseInt(text, 10, v.Type().Bits())
		v.SetInt(x)
		return wrongType(err)
	case v.CanUint():
		x, err := strconv.ParseUint(text, 10, v.Type().Bits())
		v.SetUint(x)
		return wrongType(err)
	case v.CanFloat():
		x, err := strconv.ParseFloat(text, v.Type().Bits())
		v.SetFloat(x)
		return wrongType(err)
	}
	return nil
}

func wrongType(err error) error {
	if err != nil {
		return errWrongType
	}
	return nil
}

// parseTime reads a moment, or a day, which counts to its end in UTC.
func parseTime(text string) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.AddDate(0, 0, 1).Add(-time.Nanosecond), nil
	}
	return time.Parse(time.RFC3339, text)
}

// describe says what a scalar of that type looks like.
func describe(t reflect.Type) string {
	switch {
	case t == durationType:
		return "a duration such as 10s, 500ms or 72h"
	case t == timeType:
		return "a time such as 2027-01-31T18:00:00Z, or a day such as 2027-01-31"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64 && !reflect.PointerTo(t).Implements(textType):
		return "a whole number"
	case t.Kind() == reflect.Float32, t.Kind() == reflect.Float64:
		return "a number"
	default:
		return "a text"
	}
}

func (d *decoder) expanded(p path) *expansion {
	for i := range d.expansions {
		if slices.Equal(d.expansions[i].path, p) {
			return &d.expansions[i]
		}
	}
	return nil
}

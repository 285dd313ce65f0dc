package sinktest

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/filelessd/filelessd/pkg/report"
)

// A Medium says what no text of an alert may do in what a destination received, for Harness.Inert of
// sinks that are neither lines of JSON nor plain text.
//
//	Inert: sinktest.Medium{
//		Texts:     func(received []byte) ([]string, error) { return blocksOf(received) },
//		Forbidden: []string{"<!channel>", "<@", "<http"},
//		Longest:   3000, Measure: sink.UTF16,
//	}.Inert,
type Medium struct {
	// Texts takes what was received apart as the receiver would, with a parser of its own and not the
	// sink's code, and returns the texts that a person is shown, still escaped for the medium. An
	// error means that the message is broken. Nil is all of it as one text.
	Texts func(received []byte) ([]string, error)
	// Forbidden are sequences that act in this medium and that the sink itself never writes into a
	// text: mentions, links, images, tags. Letters are compared without case.
	Forbidden []string
	// Pattern is the same for what needs one; nil for nothing.
	Pattern *regexp.Regexp
	// Lines says that a text may have line ends of the sink's own. Else a line end in a text is the
	// alert's.
	Lines bool
	// Raw says that what can not be seen may stand in a text, as in a medium for programs that
	// carries values exactly.
	Raw bool
	// Longest is the limit of a text, as Measure counts (nil: bytes); zero for none. Size is that
	// of all that was received, in bytes.
	Longest int
	Measure func(string) int
	Size    int
}

// Inert is for Harness.Inert.
func (m Medium) Inert(r *report.Report, received []byte) error {
	if m.Size > 0 && len(received) > m.Size {
		return fmt.Errorf("%d bytes, where the medium takes %d", len(received), m.Size)
	}
	if !bytes.Contains(received, []byte(r.ID)) {
		return errors.New("the id of the report is not in it")
	}
	texts := []string{string(received)}
	if m.Texts != nil {
		var err error
		if texts, err = m.Texts(received); err != nil {
			return fmt.Errorf("the receiver can not read it: %w", err)
		}
	}
	if len(texts) == 0 {
		return errors.New("it shows no text")
	}
	for _, text := range texts {
		if err := m.check(text); err != nil {
			return err
		}
	}
	return nil
}

func (m Medium) check(text string) error {
	for _, f := range m.Forbidden {
		if i := strings.Index(strings.ToLower(text), strings.ToLower(f)); i >= 0 {
			return fmt.Errorf("has %q: %.300q", f, text[max(0, i-100):])
		}
	}
	if m.Pattern != nil {
		if at := m.Pattern.FindStringIndex(text); at != nil {
			return fmt.Errorf("has %q, which %s forbids: %.300q", text[at[0]:at[1]], m.Pattern, text)
		}
	}
	count := m.Measure
	if count == nil {
		count = func(s string) int { return len(s) }
	}
	if n := count(text); m.Longest > 0 && n > m.Longest {
		return fmt.Errorf("a text of %d, where the medium takes %d: %.300q", n, m.Longest, text)
	}
	switch {
	case m.Raw:
		return nil
	case !utf8.ValidString(text):
		return errors.New("not UTF-8")
	case m.Lines:
		return CheckText(nil, []byte(text))
	case report.Visible(text) != text:
		return fmt.Errorf("has characters that do not show: %.300q", text)
	}
	return nil
}

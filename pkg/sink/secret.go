package sink

import "fmt"

// Secret is a value that nobody should read in a log, an error or a status page: it prints and
// marshals as [redacted]. Converting it with string(s) is the one way to look inside.
//
// Keep it in exported fields: of a field that is not exported, package fmt can not ask the Secret,
// and %v of the struct around it shows the value.
type Secret string

const redacted = "[redacted]"

// String hides the value; an empty secret is empty.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// Format hides the value from the verbs of fmt.
func (s Secret) Format(f fmt.State, verb rune) {
	if verb == 'q' {
		fmt.Fprintf(f, "%q", s.String())
		return
	}
	fmt.Fprint(f, s.String())
}

// MarshalText hides the value from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText sets the value.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = Secret(text)
	return nil
}

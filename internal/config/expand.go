package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/filelessd/filelessd/internal/smallfile"
)

// expansion is a scalar in which something was filled in.
type expansion struct {
	path    path
	written string   // as in the file
	values  []string // what must not be shown: the result, and each part that was filled in
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expand fills ${NAME} and ${file:/path} in; $$ is a dollar. It returns what it filled in, or an
// error with the index in text at which the reference stands. The error names a reference only if
// it is one: something else may be a part of a secret.
func expand(text string, lookup func(string) (string, bool)) (full string, parts []string, at int, err error) {
	var b strings.Builder
	for i := 0; i < len(text); {
		switch rest := text[i:]; {
		case strings.HasPrefix(rest, "$$"):
			b.WriteByte('$')
			i += 2
		case strings.HasPrefix(rest, "${"):
			end := strings.IndexByte(rest, '}')
			if end < 0 {
				return "", nil, i, errors.New("${ without }; for a dollar write $$")
			}
			part, err := resolve(rest[2:end], lookup)
			if err != nil {
				return "", nil, i, err
			}
			b.WriteString(part)
			parts = append(parts, part)
			i += end + 1
		default:
			b.WriteByte(text[i])
			i++
		}
	}
	return b.String(), parts, 0, nil
}

// filesIn returns the files that text, in which everything can be filled in, takes something from.
func filesIn(text string) (files []string) {
	text = strings.ReplaceAll(text, "$$", "")
	for {
		_, rest, found := strings.Cut(text, "${")
		if !found {
			return files
		}
		reference, rest, _ := strings.Cut(rest, "}")
		if name, ok := strings.CutPrefix(reference, "file:"); ok {
			files = append(files, name)
		}
		text = rest
	}
}

// resolve returns what a reference stands for.
func resolve(reference string, lookup func(string) (string, bool)) (string, error) {
	if name, ok := strings.CutPrefix(reference, "file:"); ok {
		value, err := readSecret(name)
		if err != nil {
			return "", fmt.Errorf("${%s}: %w", reference, err)
		}
		return value, nil
	}
	if !variable.MatchString(reference) {
		return "", errors.New("neither ${NAME} nor ${file:/path}; for a dollar write $$")
	}
	value, ok := lookup(reference)
	if !ok {
		return "", fmt.Errorf("${%s}: this environment variable is not set", reference)
	}
	return value, nil
}

// readSecret returns what a file holds, without the newline at its end that most have.
func readSecret(name string) (string, error) {
	if !filepath.IsAbs(name) {
		return "", errors.New("want an absolute path")
	}
	data, err := smallfile.ReadRegular(name)
	if err != nil {
		return "", cause(err)
	}
	return strings.TrimRight(string(data), "\r\n"), nil
}

// cause is err without the operation and the path, which the message around it has.
func cause(err error) error {
	if wrapped, ok := errors.AsType[*os.PathError](err); ok {
		return wrapped.Err
	}
	return err
}

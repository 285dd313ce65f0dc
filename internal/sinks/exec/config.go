package exec

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/filelessd/filelessd/pkg/sink"
)

// Config is the configuration of a sink of type exec.
type Config struct {
	// Command is the program, as an absolute path, and its arguments, as they are: there is no shell, and
	// nothing of a report is put into them.
	Command []string `yaml:"command"`
	// Environment is what the program finds in its environment beside PATH and FILELESSD_SINK, _ID, _KIND and
	// _SEVERITY. This is the place for its secrets.
	Environment map[string]sink.Secret `yaml:"environment"`
	// Directory is where the program starts.
	Directory string `yaml:"directory"`

	sink.Output `yaml:",inline"`
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// reserved begins the variables that the sink sets.
const reserved = "FILELESSD_"

// Validate says what is wrong with c.
func (c Config) Validate() error {
	var errs []error
	switch {
	case len(c.Command) == 0:
		errs = append(errs, errors.New("command: missing"))
	case !filepath.IsAbs(c.Command[0]):
		errs = append(errs, fmt.Errorf("command: want the program as an absolute path, got %q", c.Command[0]))
	}
	if slices.ContainsFunc(c.Command, hasNUL) {
		errs = append(errs, errors.New("command: has a zero byte"))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Environment)) {
		switch {
		case !variable.MatchString(name):
			errs = append(errs, fmt.Errorf("environment: %q can not be the name of a variable", name))
		case strings.HasPrefix(name, reserved):
			errs = append(errs, fmt.Errorf("environment.%s: is set by filelessd", name))
		case hasNUL(string(c.Environment[name])):
			errs = append(errs, fmt.Errorf("environment.%s: has a zero byte", name))
		}
	}
	if !filepath.IsAbs(c.Directory) || hasNUL(c.Directory) {
		errs = append(errs, fmt.Errorf("directory: want an absolute path, got %q", c.Directory))
	}
	return errors.Join(append(errs, c.Output.Validate())...)
}

func hasNUL(s string) bool { return strings.ContainsRune(s, 0) }

// environ is the part of the environment that is the same in each run, and its secrets.
func (c Config) environ(name string) (environ []string, secrets []sink.Secret) {
	environ = []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"FILELESSD_SINK=" + name,
	}
	for _, key := range slices.Sorted(maps.Keys(c.Environment)) {
		environ = append(environ, key+"="+string(c.Environment[key])) // of a name that is twice the last counts
		secrets = append(secrets, c.Environment[key])
	}
	return environ, secrets
}

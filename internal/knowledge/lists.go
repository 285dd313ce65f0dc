package knowledge

import (
	"slices"
	"strings"
)

// Lists holds names and places that an event's values are compared with.
type Lists struct {
	NetworkServices       List `yaml:"network_services"`
	RuntimeTools          List `yaml:"runtime_tools"`
	RuntimeShims          List `yaml:"runtime_shims"`
	RuntimeMemfds         List `yaml:"runtime_memfds"`
	Supervisors           List `yaml:"supervisors"`
	BuildTools            List `yaml:"build_tools"`
	SessionServices       List `yaml:"session_services"`
	TemporaryDirectories  List `yaml:"temporary_directories"`
	Daemons               List `yaml:"daemons"`
	Debuggers             List `yaml:"debuggers"`
	Shells                List `yaml:"shells"`
	Languages             List `yaml:"languages"`
	VolatileDirectories   List `yaml:"volatile_directories"`
	PackagedDirectories   List `yaml:"packaged_directories"`
	FileIndicators        List `yaml:"file_indicators"`
	ExecRules             List `yaml:"exec_rules"`
	TestTools             List `yaml:"test_tools"`
	TestImages            List `yaml:"test_images"`
	MinerArguments        List `yaml:"miner_arguments"`
	ReverseShellArguments List `yaml:"reverse_shell_arguments"`
}

// List is a list of values with its source.
type List struct {
	Source string   `yaml:"source"`
	Values []string `yaml:"values"`
}

// Has reports whether value is in the list, letter for letter.
func (l List) Has(value string) bool { return slices.Contains(l.Values, value) }

// HasName reports whether name is in the list, or is one of the list with a version behind it:
// php-fpm8.2, python3.11.
func (l List) HasName(name string) bool {
	if name == "" {
		return false
	}
	return l.Has(name) || l.Has(strings.TrimRight(name, "0123456789."))
}

// HasPrefixOf reports whether value begins with one of the list.
func (l List) HasPrefixOf(value string) bool {
	for _, v := range l.Values {
		if strings.HasPrefix(value, v) {
			return true
		}
	}
	return false
}

// FoundIn reports whether one of the list stands in text.
func (l List) FoundIn(text string) bool {
	for _, v := range l.Values {
		if strings.Contains(text, v) {
			return true
		}
	}
	return false
}

package playbook

import "strings"

// isImageName is the name of an image as registries take it: a host, which may have a port, and
// components that begin and end with a letter or digit. It is narrower than what a command needs.
func isImageName(s string) bool {
	if !isRepository(s) {
		return false
	}
	host, rest, hasHost := strings.Cut(s, "/")
	if name, port, hasPort := strings.Cut(host, ":"); hasPort {
		if !hasHost || !only(port, 5, digits) {
			return false
		}
		host = name
	}
	if !isImageComponent(host) {
		return false
	}
	if !hasHost {
		return true
	}
	for component := range strings.SplitSeq(rest, "/") {
		if !isImageComponent(component) {
			return false
		}
	}
	return true
}

func isImageComponent(s string) bool {
	return only(s, 128, lower+digits+"._-") && isAlphanumeric(s[0]) && isAlphanumeric(s[len(s)-1]) &&
		!strings.Contains(s, "..") && !strings.Contains(s, "._") && !strings.Contains(s, "_.")
}

// isProgramPath is an absolute path of plain letters, as packages install programs.
func isProgramPath(s string) bool {
	return only(s, 128, lower+strings.ToUpper(lower)+digits+"/._+-") && s[0] == '/' && s[len(s)-1] != '/' &&
		!strings.Contains(s, "..") && !strings.Contains(s, "//")
}

// orPlaceholder returns value, or the placeholder if it is not known.
func orPlaceholder(value, placeholder string) string {
	if value == "" {
		return placeholder
	}
	return value
}

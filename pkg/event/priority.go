package event

import "strings"

// A Priority is how urgent a rule's author says its alerts are. It describes the rule, not the
// event. Smaller is more urgent, as in syslog; zero is unknown.
type Priority uint8

// Falco's priorities.
const (
	PriorityUnknown Priority = iota
	Emergency
	Alert
	Critical
	Error
	Warning
	Notice
	Informational
	Debug
)

var priorityNames = [...]string{
	"", "Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug",
}

// String is Falco's spelling, empty if unknown.
func (p Priority) String() string {
	if int(p) < len(priorityNames) {
		return priorityNames[p]
	}
	return ""
}

// ParsePriority reads a name in any case; "info" is Informational, as in Falco's rule files.
func ParsePriority(name string) Priority {
	if strings.EqualFold(name, "info") {
		return Informational
	}
	for p := Emergency; p <= Debug; p++ {
		if strings.EqualFold(name, priorityNames[p]) {
			return p
		}
	}
	return PriorityUnknown
}

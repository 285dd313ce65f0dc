// Package match decides which alerts show fileless execution, and by which technique. It looks at
// fields only: a rule's or container's name, the text of a message, or words in somebody's arguments
// are never evidence for what a program did.
//
// An alert that does not match costs one pass over its fields and no memory.
package match

//go:build !cgo

package readers

import "testing"

func TestFilters(t *testing.T) {
	checkTool(t, MissingTool{"a C compiler with libseccomp (cgo)"})
}

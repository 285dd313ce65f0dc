// Kustomize writes the manifests that are rendered from the chart, and the chart's copies of files that stand
// elsewhere. Its argument is the directory examples of the repository.
package main

import (
	"fmt"
	"os"

	"github.com/filelessd/filelessd/internal/tools/charts"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: kustomize EXAMPLES")
		os.Exit(2)
	}
	if err := charts.Generate(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

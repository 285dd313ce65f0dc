package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version and commit are set by the linker; without it the build's own information stands in.
var version, commit string

type versionCommand struct {
	Output string `short:"o" enum:"text,json" default:"text" help:"Format: text or json."`
}

// Run prints the version.
func (c *versionCommand) Run(p *program) error {
	v := struct {
		Version string `json:"version"`
		Commit  string `json:"commit"`
		Go      string `json:"go"`
	}{Version(), revision(), runtime.Version()}
	if c.Output == "json" {
		return json.NewEncoder(p.Stdout).Encode(v)
	}
	_, err := fmt.Fprintf(p.Stdout, "filelessd %s (commit %s, %s)\n", v.Version, v.Commit, v.Go)
	return err
}

// Version is the version of the program, "devel" if nobody gave it one.
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

func revision() string {
	if commit != "" {
		return commit
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown"
}

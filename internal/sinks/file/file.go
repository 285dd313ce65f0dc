// Package file is the sink that keeps reports in files: one file a report in a directory, or one
// line of JSON a report in a file that is rotated.
package file

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/filelessd/filelessd/pkg/sink"
)

// Kind is the kind of sink.
var Kind = sink.Kind[Config]{
	Name:    "file",
	Summary: "keeps reports in files: one each, or as lines of JSON",
	Default: func() Config {
		return Config{Output: sink.Output{Format: "json"}, Rotate: Rotate{MaxBytes: 100 << 20, Keep: 10}}
	},
	Open: open,
}

// Config is the configuration of a sink of type file. Exactly one of Dir and Path is set.
type Config struct {
	// Dir is a directory that gets a file for each report, named by the report's id.
	Dir string `yaml:"dir"`
	// Path is a file that gets a line for each report, which format says how to write: json, ecs, ocsf,
	// cef, or template, whose newlines become blanks.
	Path        string `yaml:"path"`
	sink.Output `yaml:",inline"`
	// Rotate is when the file at Path is put aside.
	Rotate Rotate `yaml:"rotate"`
}

// Rotate is when a file is put aside, and how many of those are kept.
type Rotate struct {
	// MaxBytes is how large the file may become, such as 100MiB; 0 leaves rotation to others. A
	// single larger report still gets its line.
	MaxBytes Size `yaml:"max_bytes"`
	// Keep is how many files are kept beside it: the latest as PATH.1, the oldest as PATH.KEEP.
	Keep int `yaml:"keep"`
}

const (
	minRotate = 64 << 10
	maxKeep   = 1000
)

// Validate says what is wrong with c.
func (c Config) Validate() error {
	var errs []error
	if (c.Dir == "") == (c.Path == "") {
		errs = append(errs, errors.New("dir: want exactly one of dir and path"))
	}
	if err := c.Output.Validate(); err != nil {
		errs = append(errs, err)
	} else if c.Path != "" && !c.OneLine() && c.Format != sink.FormatTemplate {
		errs = append(errs, fmt.Errorf("format: %s goes with dir; the lines at path are json, ecs, ocsf, cef or template", c.Format))
	}
	if c.Rotate.MaxBytes != 0 && c.Rotate.MaxBytes < minRotate {
		errs = append(errs, fmt.Errorf("rotate.max_bytes: want 0 or at least %s, got %s", Size(minRotate), c.Rotate.MaxBytes))
	}
	if c.Rotate.Keep < 1 || c.Rotate.Keep > maxKeep {
		errs = append(errs, fmt.Errorf("rotate.keep: want 1 to %d, got %d", maxKeep, c.Rotate.Keep))
	}
	return errors.Join(errs...)
}

// open also creates what is missing and tries to write, so that a wrong path or a lack of rights
// stops the start.
func open(_ context.Context, c Config, env sink.Env) (sink.Sink, error) {
	if c.Dir != "" {
		return openDir(c, env)
	}
	return openLines(c, env, openAppend)
}

const (
	dirMode  = 0o750
	fileMode = 0o640 // a log shipper reads them by its group
)

// syncDir makes the names in a directory durable: syncing a file does not include its name.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

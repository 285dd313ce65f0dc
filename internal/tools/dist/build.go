package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const (
	module    = "github.com/filelessd/filelessd"
	packaging = "examples/packaging"
	sumsName  = "SHA256SUMS"
)

// manuals are the manual pages, without .gz.
var manuals = []string{"filelessd.1", "filelessd-config.5"}

// build compiles the program for Linux.
func (r *release) build(ctx context.Context, stage, arch string) error {
	ldflags := fmt.Sprintf("-s -w -buildid= -X %[1]s/internal/cli.version=%[2]s -X %[1]s/internal/cli.commit=%[3]s", module, r.version, r.commit)
	//nolint:gosec // words without spaces
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", ldflags,
		"-o", filepath.Join(stage, "filelessd"), "./cmd/filelessd")
	// What a user may have set, and would change the bytes.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains([]string{"GOFLAGS", "GOAMD64", "GOARM64", "GOEXPERIMENT", "GOFIPS140", "GODEBUG", "GOWORK"}, name)
	})
	cmd.Env = append(cmd.Env, "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOENV=off", "GOWORK=off")
	cmd.Env = append(cmd.Env, goproxy(ctx)...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	return nil
}

// goproxy sets where modules come from: a setting of the machine, which GOENV=off would hide, and which go.sum
// keeps from changing what comes.
func goproxy(ctx context.Context) []string {
	out, err := exec.CommandContext(ctx, "go", "env", "GOPROXY").Output()
	if err != nil {
		return nil
	}
	return []string{"GOPROXY=" + strings.TrimSpace(string(out))}
}

// writeStaged writes what is made from files of the repository: manual pages with date and version, also
// compressed, and Debian's changelog.
func (r *release) writeStaged(stage string) error {
	for _, name := range manuals {
		page, err := os.ReadFile(filepath.Join(packaging, "man", name))
		if err != nil {
			return err
		}
		blank := []byte(` "" "filelessd" `)
		if bytes.Count(page, blank) != 1 {
			return fmt.Errorf("%s: no place for date and version", name)
		}
		page = bytes.Replace(page, blank, fmt.Appendf(nil, ` "%s" "filelessd %s" `, r.time.Format("2006-01-02"), r.pkg), 1)
		if err := writeBoth(filepath.Join(stage, name), page); err != nil {
			return err
		}
	}
	log := fmt.Sprintf("filelessd (%s-1) unstable; urgency=medium\n\n  * %s/releases\n\n -- %s  %s\n",
		r.pkg, "https://"+module, maintainer, r.time.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	return writeBoth(filepath.Join(stage, "changelog.Debian"), []byte(log))
}

// writeBoth writes a file and, as path.gz, the same compressed, without name and time.
func writeBoth(path string, data []byte) error {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return err
	}
	return os.WriteFile(path+".gz", packed.Bytes(), 0o600)
}

// writeSums writes the checksums of all files in dir, as sha256sum -c reads them.
func writeSums(dir string) error {
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		fmt.Fprintf(&sums, "%s  %s\n", hex.EncodeToString(sum[:]), e.Name())
	}
	return writePublic(filepath.Join(dir, sumsName), []byte(sums.String()))
}

// writePublic writes a file that everybody may read.
func writePublic(path string, data []byte) error {
	return os.WriteFile(path, data, 0o644) //nolint:gosec // everybody may read a release
}

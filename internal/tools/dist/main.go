// Command dist makes what a release consists of, in the directory dist: for each architecture a static
// binary in a tar.gz, a .deb and an .rpm, an SBOM of the binary, and the checksums of all. It needs Go
// and, for the version, git.
//
// The same commit gives the same bytes, wherever and whenever it is built by the same version of Go: every
// time in a file is that of the commit, and nothing of the machine gets into one.
//
// Decisions:
//   - nfpm is a library here and not `go tool nfpm`: time, version and architecture are values and not
//     variables of the environment, and a third of the code to compile is left out.
//   - The SBOM is written with the library of CycloneDX from what the Go linker put into the binary, which
//     is what cyclonedx-gomod does in its mode bin; that program brings 50 modules for guessing licences,
//     and puts the time of the run and a random number into each SBOM.
//   - -buildvcs=false: whether a file that git does not know lies in the directory must not change the
//     binary. Version and commit are linked into it instead.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// release is what is being made.
type release struct {
	version string    // as git describes it: v1.2.3
	pkg     string    // as packages want it: 1.2.3, without their own revision
	commit  string    // the whole hash
	time    time.Time // of the commit
	out     string    // directory of the results
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("dist", flag.ContinueOnError)
	root := flags.String("root", ".", "directory of filelessd's module")
	out := flags.String("out", "dist", "directory of the results, which is emptied first; seen from root")
	arch := flags.String("arch", "amd64,arm64", "architectures, by Go's names")
	var r release
	flags.StringVar(&r.version, "version", "", "version, as git describes it; without it git is asked")
	flags.StringVar(&r.commit, "commit", "", "hash of the commit; without it git is asked")
	epoch := flags.Int64("epoch", 0, "time of the commit, in seconds since 1970; without it git is asked")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := os.Chdir(*root); err != nil {
		return err
	}
	if err := r.ask(ctx, *epoch); err != nil {
		return err
	}
	r.out = *out
	if err := r.empty(); err != nil {
		return err
	}
	for _, arch := range strings.Split(*arch, ",") {
		if err := r.make(ctx, arch); err != nil {
			return fmt.Errorf("%s: %w", arch, err)
		}
	}
	return writeSums(r.out)
}

// ask fills in what was not given.
func (r *release) ask(ctx context.Context, epoch int64) (err error) {
	// The length of an abbreviated hash would depend on how many objects a clone has.
	for value, args := range map[*string][]string{
		&r.version: {"describe", "--tags", "--always", "--dirty", "--abbrev=12"},
		&r.commit:  {"rev-parse", "HEAD"},
	} {
		if *value == "" {
			if *value, err = git(ctx, args...); err != nil {
				return err
			}
		}
	}
	if epoch == 0 {
		text, err := git(ctx, "show", "--no-patch", "--format=%ct", "HEAD")
		if err != nil {
			return err
		}
		if _, err := fmt.Sscan(text, &epoch); err != nil {
			return fmt.Errorf("time of the commit, %q: %w", text, err)
		}
	}
	r.time = time.Unix(epoch, 0).UTC()
	r.pkg, err = packageVersion(r.version, r.time)
	return err
}

// empty makes r.out a directory with nothing in it. What does not look like a result is not removed.
func (r *release) empty() error {
	entries, err := os.ReadDir(r.out)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "filelessd") && e.Name() != sumsName {
			return fmt.Errorf("%s is in the way: it was not made by dist", filepath.Join(r.out, e.Name()))
		}
	}
	if err := os.RemoveAll(r.out); err != nil {
		return err
	}
	return os.MkdirAll(r.out, 0o755) //nolint:gosec // everybody may read a release
}

// make makes everything for one architecture.
func (r *release) make(ctx context.Context, arch string) error {
	stage, err := os.MkdirTemp("", "filelessd-dist-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(stage)
	if err := r.build(ctx, stage, arch); err != nil {
		return err
	}
	if err := r.writeStaged(stage); err != nil {
		return err
	}
	name := filepath.Join(r.out, fmt.Sprintf("filelessd_%s_linux_%s", r.pkg, arch))
	if err := r.writeSBOM(name+".cdx.json", filepath.Join(stage, "filelessd"), arch); err != nil {
		return fmt.Errorf("SBOM: %w", err)
	}
	if err := r.writeTar(name+".tar.gz", stage); err != nil {
		return fmt.Errorf("tar.gz: %w", err)
	}
	for _, format := range []string{"deb", "rpm"} {
		if err := r.writePackage(format, stage, arch); err != nil {
			return fmt.Errorf("%s: %w", format, err)
		}
	}
	return nil
}

func git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...) //nolint:gosec // fixed words
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w; outside of a clone give -version, -commit and -epoch", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}

package readers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// denied are the calls that a program for jq takes away, by the beginning of its name.
var denied = map[string][]string{
	"no-memfd":  {"memfd_create"},
	"no-inject": {"ptrace", "process_vm_writev"},
}

// Seccomp runs a program for jq over Docker's default profile and reads the result: with moby's
// loader, or, of the programs for Kubernetes, strictly as OCI's type, for both architectures.
func Seccomp(ctx context.Context, f File) error {
	_, err := Profiles(ctx, f)
	return err
}

// Profiles returns the profiles that a program for jq makes, as the runtime gets them.
func Profiles(ctx context.Context, f File) ([]*specs.LinuxSeccomp, error) {
	if !strings.HasSuffix(f.Path, "-oci.jq") {
		made, err := runJQ(ctx, f)
		if err != nil {
			return nil, err
		}
		var profiles []*specs.LinuxSeccomp
		for _, capabilities := range [][]string{nil, {"CAP_CHOWN", "CAP_SYS_CHROOT"}, {"CAP_SYS_ADMIN", "CAP_SYS_PTRACE"}} {
			spec := &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: capabilities}}}
			p, err := seccomp.LoadProfile(string(made), spec)
			if err != nil {
				return nil, err
			}
			profiles = append(profiles, p)
		}
		return profiles, checkProfiles(f, profiles)
	}
	var profiles []*specs.LinuxSeccomp
	for _, arch := range []string{"amd64", "arm64"} {
		made, err := runJQ(ctx, f, "--arg", "arch", arch)
		if err != nil {
			return nil, err
		}
		strict := json.NewDecoder(bytes.NewReader(made))
		strict.DisallowUnknownFields()
		p := new(specs.LinuxSeccomp)
		if err := strict.Decode(p); err != nil {
			return nil, err
		}
		profiles = append(profiles, p)
	}
	return profiles, checkProfiles(f, profiles)
}

func runJQ(ctx context.Context, f File, args ...string) ([]byte, error) {
	jq, err := exec.LookPath("jq")
	if err != nil {
		return nil, MissingTool{"jq"}
	}
	var made []byte
	err = inFile(f, func(folder, name string) error {
		profile, err := json.Marshal(seccomp.DefaultProfile())
		if err != nil {
			return err
		}
		defaults := filepath.Join(folder, "default.json")
		if err := os.WriteFile(defaults, profile, 0o600); err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, jq, append(args, "-f", name, defaults)...)
		var complaint bytes.Buffer
		cmd.Stderr = &complaint
		if made, err = cmd.Output(); err != nil {
			return fmt.Errorf("jq: %w: %s", err, complaint.Bytes())
		}
		return nil
	})
	return made, err
}

// checkProfiles makes sure that the calls are denied in all profiles, once, and that the default
// protection is still there.
func checkProfiles(f File, profiles []*specs.LinuxSeccomp) error {
	name := strings.TrimSuffix(strings.TrimSuffix(path.Base(f.Path), ".jq"), "-oci")
	if denied[name] == nil {
		return fmt.Errorf("what %s takes away is not known", f.Path)
	}
	for _, p := range profiles {
		if p.DefaultAction != specs.ActErrno || len(p.Architectures) == 0 {
			return errors.New("the default of the profile was lost")
		}
		allowed := 0
		for _, rule := range p.Syscalls {
			for _, call := range rule.Names {
				switch {
				case slices.Contains(denied[name], call) && rule.Action != specs.ActErrno:
					return fmt.Errorf("%s is still allowed", call)
				case rule.Action == specs.ActAllow:
					allowed++
				}
			}
		}
		if allowed < 300 || allowed > 500 {
			return fmt.Errorf("%d calls are allowed", allowed)
		}
		for _, call := range denied[name] {
			if !slices.ContainsFunc(p.Syscalls, func(s specs.LinuxSyscall) bool { return slices.Contains(s.Names, call) }) {
				return fmt.Errorf("%s has no entry", call)
			}
		}
	}
	return nil
}

package readers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// MissingTool is a program that is not installed.
type MissingTool struct{ Name string }

func (m MissingTool) Error() string { return m.Name + " is not installed" }

// run returns what a tool writes, of both streams.
func run(ctx context.Context, env []string, name string, args ...string) (string, error) {
	tool, err := exec.LookPath(name)
	if err != nil {
		return "", MissingTool{name}
	}
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Env = append(append(os.Environ(), "LC_ALL=C"), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(out))
	}
	return string(out), nil
}

// inFile writes the content to a file of its name in a new folder.
func inFile(f File, use func(folder, name string) error) error {
	folder, err := os.MkdirTemp("", "readers")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	name := filepath.Join(folder, path.Base(f.Path))
	if err := os.WriteFile(name, []byte(f.Content), 0o600); err != nil {
		return err
	}
	return use(folder, name)
}

// Nft has nft read the rules without loading them. It needs root.
func Nft(ctx context.Context, f File) error {
	return inFile(f, func(_, name string) error {
		_, err := run(ctx, nil, "nft", "-c", "-f", name)
		return err
	})
}

// AppArmor compiles the profile without loading it. A warning counts, but for the one that the
// kernel of the machine has no AppArmor.
func AppArmor(ctx context.Context, f File) error {
	return inFile(f, func(_, name string) error {
		out, err := run(ctx, nil, "apparmor_parser", "-Q", "-K", name)
		if err != nil {
			return err
		}
		for line := range strings.Lines(out) {
			if !strings.Contains(line, "interface file missing") {
				return errors.New(strings.TrimSpace(line))
			}
		}
		return nil
	})
}

// Systemd verifies a unit, or a drop-in together with a unit for it. systemd-analyze ends with 0 on
// keys that it does not know: what it writes about the files decides.
func Systemd(ctx context.Context, f File) error {
	folder, err := os.MkdirTemp("", "readers")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	relative := strings.TrimPrefix(f.Path, "/etc/systemd/system/")
	files := map[string]string{relative: f.Content}
	unit := relative
	if dropIn, _, ok := strings.Cut(relative, "/"); ok {
		unit = strings.TrimSuffix(dropIn, ".d")
		files[unit] = "[Service]\nExecStart=/bin/true\n"
	}
	for name, text := range files {
		name = filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return err
		}
	}
	out, err := run(ctx, []string{"SYSTEMD_UNIT_PATH=" + folder + ":", "SYSTEMD_LOG_LEVEL=info"},
		"systemd-analyze", "verify", "--man=no", unit)
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		if strings.Contains(line, folder) || strings.Contains(line, unit) {
			return errors.New(strings.TrimSpace(line))
		}
	}
	return nil
}

// documented are settings of the kernel that the one of a test machine may lack, with their highest
// value, after its Documentation/admin-guide: sysctl/vm.rst and LSM/Yama.rst.
var documented = map[string]int{"vm.memfd_noexec": 2, "kernel.yama.ptrace_scope": 3}

// Sysctl has sysctl read the file without setting anything. A line that it does not understand
// leaves its exit status 0: the text decides.
func Sysctl(ctx context.Context, f File) error {
	return inFile(f, func(_, name string) error {
		out, err := run(ctx, nil, "sysctl", "--dry-run", "-p", name)
		if errors.As(err, &MissingTool{}) {
			return err
		}
		if strings.Contains(out, "invalid syntax") {
			return errors.New(strings.TrimSpace(out))
		}
		if err != nil && !strings.Contains(out, "cannot stat") {
			return err
		}
		count := 0
		for line := range strings.Lines(f.Content) {
			key, value, ok := strings.Cut(line, "=")
			if strings.HasPrefix(line, "#") || !ok {
				continue
			}
			key, value = strings.TrimSpace(key), strings.TrimSpace(value)
			highest, ok := documented[key]
			if n, err := strconv.Atoi(value); !ok || err != nil || n < 0 || n > highest {
				return fmt.Errorf("%s = %s is not documented", key, value)
			}
			count++
		}
		if count == 0 {
			return errors.New("sets nothing")
		}
		return nil
	})
}

// Shell reads a script without running it.
func Shell(ctx context.Context, f File) error {
	return inFile(f, func(_, name string) error {
		if _, err := run(ctx, nil, "sh", "-n", name); err != nil {
			return err
		}
		// SC2034: what the file sets is used by update-grub.
		_, err := run(ctx, nil, "shellcheck", "-s", "sh", "-e", "SC2034", name)
		return err
	})
}

// Fstab has findmnt verify the lines. A warning leaves its exit status 0: it counts.
func Fstab(ctx context.Context, f File) error {
	return inFile(f, func(_, name string) error {
		out, err := run(ctx, nil, "findmnt", "--verify", "--tab-file", name)
		if err == nil && strings.Contains(out, "[W]") {
			return errors.New(out)
		}
		return err
	})
}

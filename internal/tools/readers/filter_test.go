//go:build cgo

package readers

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

const profileVariable = "READERS_PROFILE"

// TestMain is the child too, which runs under a filter and says what calls answer there.
func TestMain(m *testing.M) {
	if profile := os.Getenv(profileVariable); profile != "" {
		if err := underFilter(profile); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// answers are the error numbers of calls, 0 for success. The arguments are wrong on purpose where a
// call would do something: what is denied by the filter answers before they are looked at.
func answers() map[string]int {
	name := []byte("x\x00")
	call := func(number uintptr, args ...uintptr) int {
		args = append(args, make([]uintptr, 6-len(args))...)
		_, _, errno := syscall.RawSyscall6(number, args[0], args[1], args[2], args[3], args[4], args[5])
		return int(errno)
	}
	return map[string]int{
		"memfd_create":      call(unix.SYS_MEMFD_CREATE, uintptr(unsafe.Pointer(&name[0]))),
		"ptrace":            call(unix.SYS_PTRACE, 0xffff, 0x7fffffff),
		"process_vm_writev": call(unix.SYS_PROCESS_VM_WRITEV, 0x7fffffff),
		"mount":             call(unix.SYS_MOUNT),
		"getppid":           call(unix.SYS_GETPPID),
	}
}

func underFilter(profile string) error {
	var p specs.LinuxSeccomp
	if err := json.Unmarshal([]byte(profile), &p); err != nil {
		return err
	}
	filter, err := filterOf(&p)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	if err := filter.Load(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(answers())
}

// filterOf does with libseccomp what runc does.
func filterOf(p *specs.LinuxSeccomp) (*libseccomp.ScmpFilter, error) {
	action := func(a specs.LinuxSeccompAction, errno *uint) (libseccomp.ScmpAction, error) {
		switch a {
		case specs.ActAllow:
			return libseccomp.ActAllow, nil
		case specs.ActErrno:
			number := int16(unix.EPERM)
			if errno != nil {
				number = int16(*errno)
			}
			return libseccomp.ActErrno.SetReturnCode(number), nil
		}
		return 0, fmt.Errorf("action %s", a)
	}
	standard, err := action(p.DefaultAction, p.DefaultErrnoRet)
	if err != nil {
		return nil, err
	}
	filter, err := libseccomp.NewFilter(standard)
	if err != nil {
		return nil, err
	}
	for _, name := range p.Architectures {
		arch, err := libseccomp.GetArchFromString(archNames[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := filter.AddArch(arch); err != nil {
			return nil, err
		}
	}
	for _, rule := range p.Syscalls {
		act, err := action(rule.Action, rule.ErrnoRet)
		if err != nil {
			return nil, err
		}
		if act == standard {
			continue // libseccomp refuses what changes nothing, and runc leaves it out
		}
		for _, name := range rule.Names {
			number, err := libseccomp.GetSyscallFromName(name)
			if errors.Is(err, libseccomp.ErrSyscallDoesNotExist) {
				continue // as runc does: younger than this libseccomp
			} else if err != nil {
				return nil, err
			}
			if err := addRule(filter, number, act, rule.Args); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return filter, nil
}

var archNames = map[specs.Arch]string{
	specs.ArchX86_64: "amd64", specs.ArchX86: "x86", specs.ArchX32: "x32", specs.ArchAARCH64: "arm64", specs.ArchARM: "arm",
}

var operators = map[specs.LinuxSeccompOperator]libseccomp.ScmpCompareOp{
	specs.OpEqualTo: libseccomp.CompareEqual, specs.OpNotEqual: libseccomp.CompareNotEqual,
	specs.OpLessThan: libseccomp.CompareLess, specs.OpGreaterThan: libseccomp.CompareGreater,
	specs.OpLessEqual: libseccomp.CompareLessOrEqual, specs.OpGreaterEqual: libseccomp.CompareGreaterEqual,
	specs.OpMaskedEqual: libseccomp.CompareMaskedEqual,
}

func addRule(filter *libseccomp.ScmpFilter, number libseccomp.ScmpSyscall, act libseccomp.ScmpAction, args []specs.LinuxSeccompArg) error {
	if len(args) == 0 {
		return filter.AddRule(number, act)
	}
	var conditions []libseccomp.ScmpCondition
	for _, a := range args {
		values := []uint64{a.Value}
		if a.Op == specs.OpMaskedEqual {
			values = append(values, a.ValueTwo)
		}
		c, err := libseccomp.MakeCondition(a.Index, operators[a.Op], values...)
		if err != nil {
			return err
		}
		conditions = append(conditions, c)
	}
	return filter.AddRuleConditional(number, act, conditions)
}

// tryFilter runs a child under the profile.
func tryFilter(t *testing.T, p *specs.LinuxSeccomp) map[string]int {
	t.Helper()
	profile, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(slices.Clone(os.Environ()), profileVariable+"="+string(profile))
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("%v: %s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	got := map[string]int{}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return got
}

// TestFilters loads the profiles that the programs for jq make with libseccomp, into a process that
// then tries the calls. Without a filter the same calls answer otherwise.
func TestFilters(t *testing.T) {
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("profiles are offered for amd64 and arm64")
	}
	free := answers()
	for _, f := range offeredFiles(t) {
		if name, _, err := For(f.Path); err != nil || name != "seccomp" {
			continue
		}
		t.Run(f.Path, func(t *testing.T) {
			profiles, err := Profiles(t.Context(), f)
			if err != nil {
				checkTool(t, err)
				t.Fatal(err)
			}
			profile := profiles[0]
			if runtime.GOARCH == "arm64" && strings.HasSuffix(f.Path, "-oci.jq") {
				profile = profiles[1]
			}
			got := tryFilter(t, profile)
			want := map[string]int{"mount": int(unix.EPERM), "getppid": 0}
			for _, call := range []string{"memfd_create", "ptrace", "process_vm_writev"} {
				want[call] = free[call]
			}
			if strings.HasPrefix(f.Path, "no-memfd") {
				want["memfd_create"] = int(unix.ENOSYS)
			} else {
				want["ptrace"], want["process_vm_writev"] = int(unix.EPERM), int(unix.EPERM)
			}
			for call, errno := range want {
				if got[call] != errno {
					t.Errorf("%s answers %d, want %d (without a filter: %d)", call, got[call], errno, free[call])
				}
			}
		})
	}
}

package readers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// auditLine is the form of the rules here: always at the end of system calls, with fields that
// auditctl(8) has, and a key.
var auditLine = regexp.MustCompile(`^-a always,exit -F arch=(b64|b32) -S ([a-z0-9_,]+)((?: -F (?:dir=/[a-z/]+|a[0-3]=0x[0-9a-f]+))*) -F key=([a-z_]+)$`)

// Audit reads rules of auditd in two ways: by their form, with the names of system calls from
// ausyscall; and, where this process may and the kernel's auditing is off, by auditctl, which loads
// them. They are taken out again at once.
func Audit(ctx context.Context, f File) error {
	var rules []string
	for line := range strings.Lines(f.Content) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		m := auditLine.FindStringSubmatch(line)
		if m == nil {
			return fmt.Errorf("no rule: %q", line)
		}
		for call := range strings.SplitSeq(m[2], ",") {
			arch := map[string]string{"b64": "x86_64", "b32": "i386"}[m[1]]
			if _, err := run(ctx, nil, "ausyscall", arch, call, "--exact"); err != nil {
				return err
			}
		}
		rules = append(rules, line)
	}
	if len(rules) == 0 {
		return errors.New("no rules")
	}
	if AuditLoads(ctx) != nil {
		return nil
	}
	return loadAudit(ctx, f, rules)
}

// AuditLoads says why rules can not be loaded for a test.
func AuditLoads(ctx context.Context) error {
	status, err := run(ctx, nil, "auditctl", "-s")
	switch {
	case err != nil:
		return err
	case !strings.HasPrefix(status, "enabled 0\n"):
		return errors.New("this machine's auditing is on, or the kernel has none; its rules are left alone")
	}
	list, err := run(ctx, nil, "auditctl", "-l")
	if err == nil && strings.TrimSpace(list) != "No rules" {
		return errors.New("this machine has audit rules; they are left alone")
	}
	return err
}

func loadAudit(ctx context.Context, f File, rules []string) (err error) {
	return inFile(f, func(folder, name string) error {
		undo := filepath.Join(folder, "undo")
		text := strings.ReplaceAll("\n"+strings.Join(rules, "\n")+"\n", "\n-a ", "\n-d ")
		if err := os.WriteFile(undo, []byte(text[1:]), 0o600); err != nil {
			return err
		}
		_, err := run(ctx, nil, "auditctl", "-R", name)
		list, listErr := run(ctx, nil, "auditctl", "-l")
		if _, undoErr := run(ctx, nil, "auditctl", "-R", undo); err == nil && undoErr != nil {
			return undoErr
		}
		if err = errors.Join(err, listErr); err != nil {
			return err
		}
		loaded := strings.Split(strings.ToLower(strings.TrimSpace(list)), "\n")
		for _, r := range rules {
			if !slices.Contains(loaded, strings.ToLower(r)) {
				return fmt.Errorf("%q is not among what was loaded:\n%s", r, list)
			}
		}
		return nil
	})
}

package readers

import (
	"context"
	"fmt"
	"path"
	"strings"
)

// File is what a report offers.
type File struct {
	Path      string `json:"path"`
	MediaType string `json:"media_type"`
	Content   string `json:"content"`
}

// Reader says why a file would be refused by what reads it.
type Reader func(context.Context, File) error

// For returns the reader of a file by the place that it is for.
func For(file string) (name string, read Reader, err error) {
	base := path.Base(file)
	for _, r := range []struct {
		name  string
		reads bool
		read  Reader
	}{
		{"falco rules", strings.HasPrefix(file, "/etc/falco/rules.d/"), content(FalcoRules)},
		{"falco settings", strings.HasPrefix(file, "/etc/falco/config.d/"), content(FalcoSettings)},
		{"compose", base == "compose.yaml", content(Compose)},
		{"kubernetes", base == "pod.yaml" || base == "quarantine.yaml", content(Kubernetes)},
		{"tetragon", base == "tetragon-policy.yaml", content(Tetragon)},
		{"sigma", base == "filelessd.yml", content(Sigma)},
		{"seccomp", strings.HasSuffix(base, ".jq"), Seccomp},
		{"sysctl", strings.HasPrefix(file, "/etc/sysctl.d/"), Sysctl},
		{"nft", strings.HasSuffix(base, ".nft"), Nft},
		{"audit", strings.HasPrefix(file, "/etc/audit/rules.d/"), Audit},
		{"apparmor", strings.HasPrefix(file, "/etc/apparmor.d/"), AppArmor},
		{"systemd", strings.HasPrefix(file, "/etc/systemd/system/"), Systemd},
		{"shell", strings.HasPrefix(file, "/etc/default/grub.d/"), Shell},
		{"fstab", strings.HasSuffix(base, ".fstab"), Fstab},
	} {
		if r.reads {
			return r.name, r.read, nil
		}
	}
	return "", nil, fmt.Errorf("nothing is known to read %s", file)
}

func content(read func([]byte) error) Reader {
	return func(_ context.Context, f File) error { return read([]byte(f.Content)) }
}

package readers

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const composeExample = root + "/examples/compose"

// loadExample reads the compose example as `docker compose` does: with .env beside it, and the given profiles
// instead of those in there.
func loadExample(t *testing.T, file string, profiles ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(composeExample, file)},
		cli.WithWorkingDirectory(composeExample), cli.WithEnvFiles(), cli.WithDotEnv, cli.WithDefaultProfiles(profiles...))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if project.Name != "filelessd" {
		t.Errorf("%s: the project is named %s", file, project.Name)
	}
	return project
}

// TestComposeExample: who runs in each shape, and what each may do.
func TestComposeExample(t *testing.T) {
	for _, c := range []struct {
		file     string
		profiles []string
		services []string
	}{
		{"compose.yaml", nil, []string{"alertmanager", "filelessd", "simulate", "viewer"}},
		{"compose.yaml", []string{"falco"}, []string{"alertmanager", "falco", "filelessd-falco", "viewer"}},
		{"compose.falco-0.44.yaml", nil, []string{"alertmanager", "falco", "filelessd", "viewer"}},
	} {
		project := loadExample(t, c.file, c.profiles...)
		if got := slices.Sorted(maps.Keys(project.Services)); !slices.Equal(got, c.services) {
			t.Errorf("%s %v: services %v, want %v", c.file, c.profiles, got, c.services)
		}
		for _, s := range project.Services {
			checkService(t, c.file, s)
		}
	}
}

func checkService(t *testing.T, file string, s types.ServiceConfig) {
	t.Helper()
	complain := func(format string, args ...any) { t.Helper(); t.Errorf(file+": "+s.Name+": "+format, args...) }
	if s.Privileged || !slices.Equal(s.CapDrop, []string{"ALL"}) {
		complain("privileged %t, capabilities without %v", s.Privileged, s.CapDrop)
	}
	if s.Name != "falco" {
		if !s.ReadOnly || len(s.CapAdd) != 0 || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.MemLimit == 0 {
			complain("read only %t, capabilities %v, %v, memory %d", s.ReadOnly, s.CapAdd, s.SecurityOpt, s.MemLimit)
		}
		if root := s.User != ""; root != (s.Name == "filelessd-falco") {
			complain("runs as %q", s.User)
		}
	}
	// drain_timeout is 10 s where nothing else is said.
	if strings.HasPrefix(s.Name, "filelessd") && (s.StopGracePeriod == nil || time.Duration(*s.StopGracePeriod) < 20*time.Second) {
		complain("has %v to stop", s.StopGracePeriod)
	}
	for _, p := range s.Ports {
		if p.HostIP != "127.0.0.1" {
			complain("is open to %s:%s", p.HostIP, p.Published)
		}
	}
	for _, v := range s.Volumes {
		checkMount(t, s, v)
	}
	if _, name, found := strings.Cut(s.Image, ":"); !found || name == "latest" {
		complain("image %s", s.Image)
	}
}

// checkMount: a file that is mounted is there, nothing of the host can be written to, and what is put
// before Falco is what Falco reads.
func checkMount(t *testing.T, s types.ServiceConfig, v types.ServiceVolumeConfig) {
	t.Helper()
	if v.Type != types.VolumeTypeBind {
		return
	}
	if !v.ReadOnly {
		t.Errorf("%s can write to %s", s.Name, v.Source)
	}
	if !strings.Contains(v.Source, "examples") {
		return // of the host
	}
	data, err := os.ReadFile(v.Source)
	if err != nil {
		t.Errorf("%s: %v", s.Name, err)
	}
	if !strings.HasPrefix(v.Target, "/etc/falco/config.d/") {
		return
	}
	// The schema is that of Falco 0.44, which does not start with a key of gRPC.
	grpc := filepath.Base(v.Source) == "grpc.yaml"
	if err := againstSchema(settingsSchema, data); (err != nil) != grpc || grpc && !strings.Contains(s.Image, "falco:0.43") {
		t.Errorf("%s in %s: %v", v.Source, s.Image, err)
	}
}

package charts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

const (
	examples  = "../../../examples"
	chartDir  = examples + "/kubernetes/chart"
	kustomize = examples + "/kubernetes/kustomize"
)

// The oldest Kubernetes that the chart takes, and a current one.
var clusters = []string{"v1.25.0", "v1.36.0"}

func release(kubernetes string) Release {
	return Release{Name: "filelessd", Namespace: "filelessd", Kubernetes: kubernetes}
}

// program compiles filelessd itself, once, for `filelessd check`.
var program = sync.OnceValues(func() (string, error) {
	file := filepath.Join(programDir, "filelessd")
	build := exec.Command("go", "build", "-o", file, "./cmd/filelessd")
	build.Dir = "../../.."
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build filelessd: %w\n%s", err, out)
	}
	return file, nil
})

// programDir is gone when the tests are through.
var programDir string

func TestMain(m *testing.M) {
	var err error
	if programDir, err = os.MkdirTemp("", "charts"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(programDir)
	os.Exit(code)
}

// secrets are what the Secrets of a cluster would hold. A configuration that asks for another variable fails
// its check.
var secrets = []string{
	"FALCO_TOKEN=6a1f0cbb", "HOOK_TOKEN=6a1f0cbb", "SOC_URL=https://soc.example/hook",
	"SOC_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}

// check runs `filelessd check` on the configuration with no other environment. Files that a Secret is mounted
// as are not there: their paths are led to the test's own.
func check(t *testing.T, config string) error {
	t.Helper()
	config = strings.ReplaceAll(config, "/run/secrets/filelessd/tls", certificates(t))
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	filelessd, err := program()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(filelessd, "check", "-c", file)
	c.Env = secrets
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("filelessd check: %w\n%s\n%s", err, out, config)
	}
	return nil
}

// decode decodes all objects, by kind and name.
func decode(t *testing.T, objects []Object) map[string]any {
	t.Helper()
	all := map[string]any{}
	for _, o := range objects {
		into, err := Decode(o)
		if err != nil {
			t.Fatal(err)
		}
		key := fmt.Sprint(o["kind"], " ", o.Name())
		if all[key] != nil {
			t.Errorf("%s twice", key)
		}
		all[key] = into
	}
	return all
}

// get returns the object of the kind and name, or fails.
func get[T any](t *testing.T, all map[string]any, key string) T {
	t.Helper()
	o, ok := all[key].(T)
	if !ok {
		t.Fatalf("no %s", key)
	}
	return o
}

// container returns the container of the name, be it an init container or not.
func container(t *testing.T, spec corev1.PodSpec, name string) corev1.Container {
	t.Helper()
	for _, c := range append(spec.InitContainers, spec.Containers...) {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no container %s", name)
	return corev1.Container{}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

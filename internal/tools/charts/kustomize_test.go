package charts

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"sigs.k8s.io/yaml"
)

// What is rendered from the chart, and what the chart holds copies of, is up to date.
func TestGenerated(t *testing.T) {
	for _, p := range Parts() {
		want, err := p.Plain(chartDir)
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, filepath.Join(kustomize, p.File)); !bytes.Equal(got, want) {
			t.Errorf("%s is not what the chart renders; go generate in internal/tools/charts writes it", p.File)
		}
	}
	for copied, original := range Copies() {
		if !bytes.Equal(read(t, filepath.Join(examples, copied)), read(t, filepath.Join(examples, original))) {
			t.Errorf("%s is not as %s; go generate in internal/tools/charts writes it", copied, original)
		}
	}
}

func overlays(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(kustomize + "/overlays")
	if err != nil || len(entries) == 0 {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Each overlay as a user applies it.
func TestOverlays(t *testing.T) {
	for _, name := range overlays(t) {
		t.Run(name, func(t *testing.T) {
			objects, err := Kustomize(filepath.Join(kustomize, "overlays", name))
			if err != nil {
				t.Fatal(err)
			}
			namespace := "filelessd"
			if strings.HasPrefix(name, "sidecar") {
				namespace = "falco"
			}
			for _, o := range objects {
				if o["kind"] != "Namespace" && o.Metadata()["namespace"] != namespace {
					t.Errorf("%s %s is in the namespace %v", o.Kind(), o.Name(), o.Metadata()["namespace"])
				}
			}
			all := decode(t, objects)
			if err := check(t, get[*corev1.ConfigMap](t, all, "ConfigMap filelessd").Data["config.yaml"]); err != nil {
				t.Error(err)
			}
			allowed(t, all)
			if namespace == "filelessd" {
				for _, o := range all {
					hardened(t, o)
				}
				selected(t, all)
			}
		})
	}
}

// allowed says that the namespace takes the pods.
func allowed(t *testing.T, all map[string]any) {
	t.Helper()
	n, ok := all["Namespace filelessd"].(*corev1.Namespace)
	if !ok {
		return // Falco's is the user's
	}
	want := api.LevelRestricted
	if all["DaemonSet filelessd"] != nil {
		want = api.LevelPrivileged
	}
	if got := n.Labels["pod-security.kubernetes.io/enforce"]; got != string(want) {
		t.Errorf("the namespace enforces %s, not %s", got, want)
	}
	for name, o := range all {
		if pod, ok := Pod(o); ok {
			got, err := Violations(want, pod)
			if err != nil || len(got) > 0 {
				t.Errorf("%s: %q (%v)", name, got, err)
			}
		}
	}
}

// An overlay and the chart say the same.
func TestSame(t *testing.T) {
	for name, values := range map[string]string{
		"central":      "existingSecrets: [filelessd]\nnetworkPolicy: {enabled: true}",
		"daemonset":    "mode: daemonset\nnetworkPolicy: {enabled: true}",
		"sidecar-http": "mode: sidecar",
		"sidecar-grpc": "mode: sidecar\nsidecar: {source: grpc}",
	} {
		t.Run(name, func(t *testing.T) {
			plain, err := Kustomize(filepath.Join(kustomize, "overlays", name))
			if err != nil {
				t.Fatal(err)
			}
			rendered, err := Render(chartDir, release("v1.34.0"), []byte(values))
			if err != nil {
				t.Fatal(err)
			}
			got, want := normal(t, plain), normal(t, rendered)
			if len(want) == 0 {
				t.Fatal("nothing was rendered")
			}
			for key := range want {
				if !reflect.DeepEqual(got[key], want[key]) {
					t.Errorf("%s:\nkustomize %+v\nchart     %+v", key, got[key], want[key])
				}
			}
			for key := range got {
				if want[key] == nil {
					t.Errorf("%s is not in the chart", key)
				}
			}
		})
	}
}

// normal are the objects without what may differ: who made them, the spelling of the configuration, the
// namespace and Falco itself, and the Secret that the overlay takes only where it is there.
func normal(t *testing.T, objects []Object) map[string]any {
	t.Helper()
	var ours []Object
	for _, o := range objects {
		if !o.IsHook() && o["kind"] != "Namespace" && !strings.HasPrefix(o.Name(), "falco") && !strings.HasPrefix(o.Name(), "filelessd-falco") {
			Strip(o)
			ours = append(ours, o)
		}
	}
	all := decode(t, ours)
	for _, o := range all {
		switch o := o.(type) {
		case *corev1.ConfigMap:
			var config any
			if err := yaml.UnmarshalStrict([]byte(o.Data["config.yaml"]), &config); err != nil {
				t.Fatal(err)
			}
			data, err := yaml.Marshal(config)
			if err != nil {
				t.Fatal(err)
			}
			o.Data["config.yaml"] = string(data)
		case *appsv1.DaemonSet:
			o.Spec.Template.Spec.Containers[0].EnvFrom = nil
		}
	}
	return all
}

// The components that overlays name in comments.
func TestComponents(t *testing.T) {
	for _, name := range overlays(t) {
		dir := copyTree(t)
		file := filepath.Join(dir, "overlays", name, "kustomization.yaml")
		text := strings.ReplaceAll(string(read(t, file)), "# - ../../components/", "- ../../components/")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		objects, err := Kustomize(filepath.Dir(file))
		if err != nil {
			t.Fatal(name, err)
		}
		all := decode(t, objects)
		for _, want := range []string{"ServiceMonitor filelessd", "PrometheusRule filelessd", "ConfigMap filelessd-dashboard"} {
			if all[want] == nil {
				t.Errorf("%s: no %s", name, want)
			}
		}
	}
}

// copyTree copies the manifests to where a test may change them.
func copyTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(kustomize)); err != nil {
		t.Fatal(err)
	}
	return dir
}

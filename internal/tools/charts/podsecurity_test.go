package charts

import (
	"slices"
	"testing"

	"k8s.io/pod-security-admission/api"
)

// The levels that the README claims. A rule that is broken without being named here is a mistake, and so is
// one that is named and no longer broken.
func TestPodSecurity(t *testing.T) {
	root := []string{"runAsNonRoot != true", "runAsUser=0"}
	for _, c := range []struct {
		values               string
		baseline, restricted []string
	}{
		{"existingSecrets: [filelessd]", nil, nil},
		{"secrets: {FALCO_TOKEN: x}\npersistence: {type: emptyDir}", nil, nil},
		// The directories of the node, for the socket and the log, are what baseline forbids.
		{"mode: daemonset", []string{"hostPath volumes"}, append([]string{"restricted volume types"}, root...)},
		{"mode: daemonset\ndaemonset: {hostPID: true}", []string{"host namespaces", "hostPath volumes"},
			append([]string{"host namespaces", "restricted volume types"}, root...)},
	} {
		objects, err := Render(chartDir, release("v1.36.0"), []byte(c.values))
		if err != nil {
			t.Fatal(err)
		}
		for name, o := range decode(t, objects) {
			pod, ok := Pod(o)
			if !ok || name == "Pod filelessd-check" {
				continue
			}
			for level, want := range map[api.Level][]string{api.LevelBaseline: c.baseline, api.LevelRestricted: c.restricted} {
				got, err := Violations(level, pod)
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("%q: %s: %s: got %q, want %q (%v)", c.values, name, level, got, want, err)
				}
			}
		}
	}
}

// The pod of helm test is restricted in every shape.
func TestPodSecurityOfTest(t *testing.T) {
	for _, values := range []string{"existingSecrets: [filelessd]", "mode: daemonset", "mode: sidecar"} {
		objects, err := Render(chartDir, release("v1.36.0"), []byte(values))
		if err != nil {
			t.Fatal(err)
		}
		pod, _ := Pod(decode(t, objects)["Pod filelessd-check"])
		if got, err := Violations(api.LevelRestricted, pod); err != nil || len(got) > 0 || len(pod.Spec.Containers) != 1 {
			t.Errorf("%q: %q (%v)", values, got, err)
		}
	}
}

// The sidecars by themselves, without the Falco around them, which is privileged.
func TestPodSecurityOfSidecars(t *testing.T) {
	for shape, want := range map[string][]string{
		"http": nil,
		"grpc": {"restricted volume types", "runAsNonRoot != true", "runAsUser=0"},
	} {
		pod := sidecarPod(t, shape)
		got, err := Violations(api.LevelRestricted, pod)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q (%v)", shape, got, want, err)
		}
	}
}

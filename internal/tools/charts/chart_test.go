package charts

import (
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Every combination of values in ci: what `helm lint --strict` and `helm template` say, then each object as an
// API server would decode it, and the configuration as the daemon would.
func TestChart(t *testing.T) {
	files, err := filepath.Glob(chartDir + "/ci/*-values.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		for _, kubernetes := range clusters {
			t.Run(strings.TrimSuffix(filepath.Base(file), "-values.yaml")+"/"+kubernetes, func(t *testing.T) {
				values := read(t, file)
				if err := Lint(chartDir, release(kubernetes), values); err != nil {
					t.Error(err)
				}
				objects, err := Render(chartDir, release(kubernetes), values)
				if err != nil {
					t.Fatal(err)
				}
				all := decode(t, objects)
				for _, o := range all {
					if c, ok := o.(*corev1.ConfigMap); ok && c.Data["config.yaml"] != "" {
						if err := check(t, c.Data["config.yaml"]); err != nil {
							t.Error(err)
						}
					}
					hardened(t, o)
				}
				selected(t, all)
				if notes, err := Notes(chartDir, release(kubernetes), values); err != nil || !strings.Contains(notes, "/usr/bin/filelessd status") {
					t.Error(err, notes)
				}
			})
		}
	}
}

// hardened holds for each pod of ours, in whatever shape.
func hardened(t *testing.T, o any) {
	t.Helper()
	pod, ok := Pod(o)
	if !ok {
		return
	}
	if pod.Spec.AutomountServiceAccountToken == nil || *pod.Spec.AutomountServiceAccountToken {
		t.Error("the pod has a token for the API server")
	}
	profile := pod.Spec.SecurityContext.SeccompProfile
	if profile == nil || profile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Error("the pod has no seccomp profile")
	}
	for _, c := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
		s := c.SecurityContext
		if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem ||
			s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation ||
			s.Capabilities == nil || len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" || len(s.Capabilities.Add) > 0 {
			t.Errorf("container %s: %+v", c.Name, s)
		}
		if c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
			t.Errorf("container %s has no bounds of memory", c.Name)
		}
		for _, m := range c.VolumeMounts {
			if m.SubPath != "" {
				t.Errorf("container %s: a subPath never changes: %s", c.Name, m.MountPath)
			}
		}
	}
}

// selected says that Services find the daemon's pods, by ports that they have, and no others.
func selected(t *testing.T, all map[string]any) {
	t.Helper()
	for name, o := range all {
		service, ok := o.(*corev1.Service)
		if !ok || strings.Contains(service.Spec.Selector["app.kubernetes.io/name"], "falco") {
			continue // the sidecar's pods are Falco's
		}
		found := 0
		for _, o := range all {
			pod, ok := Pod(o)
			if !ok || !labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(pod.Labels)) {
				continue
			}
			if _, test := o.(*corev1.Pod); test {
				t.Errorf("%s sends alerts to the pod of helm test", name)
			}
			found++
			for _, port := range service.Spec.Ports {
				if !hasPort(pod.Spec.Containers[0], port) {
					t.Errorf("%s: the pod has no port %s", name, port.TargetPort.String())
				}
			}
		}
		if found != 1 {
			t.Errorf("%s selects %d workloads", name, found)
		}
	}
}

func hasPort(c corev1.Container, want corev1.ServicePort) bool {
	for _, p := range c.Ports {
		if p.Name == want.TargetPort.StrVal || p.ContainerPort == want.TargetPort.IntVal {
			return true
		}
	}
	return false
}

func TestPreStop(t *testing.T) {
	for _, c := range []struct {
		kubernetes, values string
		want               int64
	}{
		{"v1.36.0", "mode: daemonset", 5},
		{"v1.30.1", "mode: daemonset\npreStopSleepSeconds: 7", 7},
		{"v1.30.1-gke.100", "mode: daemonset", 5},
		{"v1.29.9", "mode: daemonset", 0}, // the action is newer
		{"v1.36.0", "mode: daemonset\npreStopSleepSeconds: 0", 0},
	} {
		objects, err := Render(chartDir, release(c.kubernetes), []byte(c.values))
		if err != nil {
			t.Fatal(err)
		}
		set := get[*appsv1.DaemonSet](t, decode(t, objects), "DaemonSet filelessd")
		got := int64(0)
		if l := set.Spec.Template.Spec.Containers[0].Lifecycle; l != nil {
			got = l.PreStop.Sleep.Seconds
		}
		if got != c.want {
			t.Errorf("%s, %q: sleeps %d s, want %d", c.kubernetes, c.values, got, c.want)
		}
	}
}

// Kubernetes 1.25, the oldest that the chart takes, refuses the field.
func TestEvictionPolicy(t *testing.T) {
	for kubernetes, want := range map[string]bool{"v1.25.16": false, "v1.26.0": true} {
		objects, err := Render(chartDir, release(kubernetes), []byte("existingSecrets: [filelessd]\npodDisruptionBudget: {enabled: true}"))
		if err != nil {
			t.Fatal(err)
		}
		budget := get[*policyv1.PodDisruptionBudget](t, decode(t, objects), "PodDisruptionBudget filelessd")
		if got := budget.Spec.UnhealthyPodEvictionPolicy != nil; got != want {
			t.Errorf("%s: unhealthyPodEvictionPolicy is there: %v, want %v", kubernetes, got, want)
		}
	}
}

// Inline secrets are read at the start, so that a change must make new pods; a change of the configuration
// must not.
func TestWhatRestarts(t *testing.T) {
	pod := func(values string) map[string]string {
		objects, err := Render(chartDir, release("v1.36.0"), []byte(values))
		if err != nil {
			t.Fatal(err)
		}
		set := get[*appsv1.StatefulSet](t, decode(t, objects), "StatefulSet filelessd")
		return set.Spec.Template.Annotations
	}
	one := pod("secrets: {FALCO_TOKEN: a}")
	if other := pod("secrets: {FALCO_TOKEN: b}"); one["checksum/secrets"] == other["checksum/secrets"] {
		t.Error("a changed secret restarts nothing")
	}
	if other := pod("secrets: {FALCO_TOKEN: a}\nconfig: {log: {level: debug}}"); len(other) != 1 || one["checksum/secrets"] != other["checksum/secrets"] {
		t.Errorf("a changed configuration restarts the pods: %v, %v", one, other)
	}
}

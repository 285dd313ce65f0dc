package charts

import (
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// try renders an overlay with its Falco, and returns what is in each of the two namespaces.
func try(t *testing.T, shape string) (ours []Object, falco map[string]any) {
	t.Helper()
	objects, err := Kustomize(kustomize + "/try/" + shape)
	if err != nil {
		t.Fatal(err)
	}
	var others []Object
	for _, o := range objects {
		if o.Metadata()["namespace"] == "falco" || o.Name() == "falco" {
			others = append(others, o)
		} else {
			ours = append(ours, o)
		}
	}
	return ours, decode(t, others)
}

// settings are the files that Falco reads after its own, by what the pod mounts.
func settings(t *testing.T, falco map[string]any) map[string]any {
	t.Helper()
	pod := get[*appsv1.DaemonSet](t, falco, "DaemonSet falco").Spec.Template.Spec
	all := map[string]any{}
	for _, m := range container(t, pod, "falco").VolumeMounts {
		if path.Dir(m.MountPath) != "/etc/falco/config.d" {
			continue
		}
		i := slices.IndexFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
		file, ok := get[*corev1.ConfigMap](t, falco, "ConfigMap "+pod.Volumes[i].ConfigMap.Name).Data[m.SubPath]
		if !ok || m.SubPath != path.Base(m.MountPath) {
			t.Fatalf("no file for %s", m.MountPath)
		}
		if err := yaml.Unmarshal([]byte(file), &all); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// What one tries is the overlay that one goes on with.
func TestTryIsOverlay(t *testing.T) {
	for _, shape := range []string{"central", "daemonset"} {
		ours, falco := try(t, shape)
		ours = slices.DeleteFunc(ours, func(o Object) bool { return o["kind"] == "Secret" })
		want, err := Kustomize(kustomize + "/overlays/" + shape)
		if err != nil || !reflect.DeepEqual(decode(t, ours), decode(t, want)) {
			t.Errorf("%s: %v, or not as its overlay", shape, err)
		}
		n := get[*corev1.Namespace](t, falco, "Namespace falco")
		if n.Labels["pod-security.kubernetes.io/enforce"] != "privileged" {
			t.Error("the namespace does not take Falco's pods")
		}
	}
}

// Falco and filelessd meet.
func TestTryMeets(t *testing.T) {
	ours, falco := try(t, "daemonset")
	hostPath := func(pod corev1.PodSpec, name string) string {
		for _, m := range container(t, pod, name).VolumeMounts {
			if i := slices.IndexFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name }); m.MountPath == "/run/falco" {
				return pod.Volumes[i].HostPath.Path
			}
		}
		return "none"
	}
	got := hostPath(get[*appsv1.DaemonSet](t, falco, "DaemonSet falco").Spec.Template.Spec, "falco")
	want := hostPath(get[*appsv1.DaemonSet](t, decode(t, ours), "DaemonSet filelessd").Spec.Template.Spec, "filelessd")
	if got != want || got != "/run/falco" {
		t.Errorf("daemonset: Falco's socket is in %s, and looked for in %s", got, want)
	}
	if s, want := settings(t, falco), readFalcoValues(t, "daemonset").Falco; !reflect.DeepEqual(s["grpc"], want["grpc"]) || s["json_output"] != false {
		t.Errorf("daemonset: %v", s)
	}

	ours, falco = try(t, "central")
	token := get[*corev1.Secret](t, falco, "Secret filelessd").Data["FALCO_TOKEN"]
	if other := get[*corev1.Secret](t, decode(t, ours), "Secret filelessd").Data["FALCO_TOKEN"]; string(other) != string(token) || !strings.Contains(string(token), "try") {
		t.Errorf("central: tokens %q and %q", token, other)
	}
	values := readFalcoValues(t, "central")
	if s := settings(t, falco); !reflect.DeepEqual(s["http_output"], values.Falco["http_output"]) || s["json_output"] != true {
		t.Errorf("central: %v", s)
	}
	env := container(t, get[*appsv1.DaemonSet](t, falco, "DaemonSet falco").Spec.Template.Spec, "falco").Env
	if !slices.ContainsFunc(env, func(e corev1.EnvVar) bool { return reflect.DeepEqual(e, values.Extra.Env[0]) }) {
		t.Errorf("central: no token for Falco: %v", env)
	}
}

package charts

import (
	"reflect"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// falcoValues is what our files set of the values of Falco's chart.
type falcoValues struct {
	Extra struct {
		InitContainers []corev1.Container `json:"initContainers"`
		Env            []corev1.EnvVar    `json:"env"`
	} `json:"extra"`
	Mounts struct {
		Volumes []corev1.Volume `json:"volumes"`
	} `json:"mounts"`
	Falco   map[string]any `json:"falco"`
	Metrics map[string]any `json:"metrics"`
}

func readFalcoValues(t *testing.T, name string) falcoValues {
	t.Helper()
	var v falcoValues
	if err := yaml.UnmarshalStrict(read(t, examples+"/kubernetes/falco-values-"+name+".yaml"), &v); err != nil {
		t.Fatal(name, err)
	}
	return v
}

// sidecarPod is what the values for Falco's chart add to its pod.
func sidecarPod(t *testing.T, shape string) corev1.PodTemplateSpec {
	t.Helper()
	v := readFalcoValues(t, "sidecar-"+shape)
	off := false
	pod := corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		AutomountServiceAccountToken: &off, InitContainers: v.Extra.InitContainers, Volumes: v.Mounts.Volumes,
	}}
	return pod
}

// The sidecar is one container, whichever way it comes to Falco's pod, and has what the chart's own pods have.
func TestSidecars(t *testing.T) {
	for _, shape := range []string{"http", "grpc"} {
		t.Run(shape, func(t *testing.T) {
			objects, err := Kustomize(kustomize + "/overlays/sidecar-" + shape)
			if err != nil {
				t.Fatal(err)
			}
			pod := get[*appsv1.DaemonSet](t, decode(t, objects), "DaemonSet falco").Spec.Template.Spec
			got := container(t, pod, "filelessd")
			want := sidecarPod(t, shape).Spec.InitContainers[0]
			if shape == "grpc" { // Falco's chart has a name of its own for the socket's directory
				rename(want.VolumeMounts, "grpc-socket-dir", "falco-socket")
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("kustomize: %+v\nvalues:    %+v", got, want)
			}
			if got.RestartPolicy == nil || *got.RestartPolicy != corev1.ContainerRestartPolicyAlways || got.StartupProbe != nil {
				t.Error("Falco would wait for it")
			}
			// The kubelet does not start Falco before it has seen the sidecar run, once a second.
			if at := slices.Index(got.Args, "--linger"); at < 0 || got.Args[at+1] != "10s" {
				t.Errorf("Falco would wait for one that can not start: %q", got.Args)
			} else {
				got.Args = slices.Delete(got.Args, at, at+2)
			}
			volumes := map[string]bool{}
			for _, v := range pod.Volumes {
				volumes[v.Name] = true
			}
			for _, v := range append(pod.Volumes, sidecarPod(t, shape).Spec.Volumes...) {
				if v.Name == "filelessd-config" && (v.ConfigMap.Optional == nil || !*v.ConfigMap.Optional) {
					t.Error("Falco would wait for the configuration")
				}
			}
			for _, m := range got.VolumeMounts {
				if !volumes[m.Name] {
					t.Errorf("no volume %s", m.Name)
				}
			}
			asChart(t, got)
		})
	}
}

// asChart compares the sidecar with the container that the chart makes.
func asChart(t *testing.T, sidecar corev1.Container) {
	t.Helper()
	objects, err := Render(chartDir, release("v1.36.0"), []byte("mode: daemonset"))
	if err != nil {
		t.Fatal(err)
	}
	ours := get[*appsv1.DaemonSet](t, decode(t, objects), "DaemonSet filelessd").Spec.Template.Spec.Containers[0]
	for what, equal := range map[string]bool{
		"image":     sidecar.Image == ours.Image,
		"command":   reflect.DeepEqual(append(sidecar.Command, sidecar.Args...), append(ours.Command, ours.Args...)),
		"resources": reflect.DeepEqual(sidecar.Resources, ours.Resources),
		"config":    reflect.DeepEqual(mounts(sidecar)["/etc/filelessd"], mounts(ours)["/etc/filelessd"]),
		"data":      reflect.DeepEqual(mounts(sidecar)["/var/lib/filelessd"], mounts(ours)["/var/lib/filelessd"]),
	} {
		if !equal {
			t.Errorf("%s differs from the chart's", what)
		}
	}
}

// mounts says of each path whether it is mounted to be read only.
func mounts(c corev1.Container) map[string]*bool {
	m := map[string]*bool{}
	for _, v := range c.VolumeMounts {
		m[v.MountPath] = &v.ReadOnly
	}
	return m
}

func rename(mounts []corev1.VolumeMount, from, to string) {
	for i := range mounts {
		if mounts[i].Name == from {
			mounts[i].Name = to
		}
	}
}

// The settings for Falco are those of examples/falco, but for the address of a central.
func TestFalcoSettings(t *testing.T) {
	for name, files := range map[string][]string{
		"sidecar-http": {"http", "fields"}, "central": {"http", "fields"},
		"sidecar-grpc": {"grpc", "fields"}, "daemonset": {"grpc", "fields"},
	} {
		got := readFalcoValues(t, name).Falco
		want := map[string]any{}
		for _, f := range files {
			if err := yaml.Unmarshal(read(t, examples+"/falco/"+f+".yaml"), &want); err != nil {
				t.Fatal(err)
			}
		}
		// Helm replaces lists: the entry that Falco's chart has comes first.
		want["append_output"] = append([]any{map[string]any{"suggested_output": true}}, want["append_output"].([]any)...)
		if files[0] == "grpc" { // a name that is not UTF-8 makes Falco 0.43 with JSON exit
			want["json_output"] = false
		}
		if name == "central" {
			want["http_output"].(map[string]any)["url"] = "http://falco:${FILELESSD_TOKEN}@filelessd.filelessd.svc:2801/"
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %v\nwant %v", name, got, want)
		}
	}
}

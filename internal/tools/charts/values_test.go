package charts

import (
	"reflect"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// Mistakes in values, and words of what Helm says about each.
func TestRefusedValues(t *testing.T) {
	const token = "existingSecrets: [filelessd]\n"
	for _, c := range []struct{ values, want string }{
		{"", "needs a token: name a Secret with the key FALCO_TOKEN"},
		{"secrets: {OTHER: x}", "needs a token"},
		{token + "mode: deployment", "mode"},
		{token + "modus: central", "additional properties 'modus' not allowed"},
		{token + "image: {name: x}", "additional properties 'name' not allowed"},
		{token + "image: {tag: 1.10}", "got number, want string"},
		{token + "image: {digest: sha256:abc}", "/image/digest"},
		{token + "image: {repository: 'a b'}", "/image/repository"},
		{token + "existingSecrets: filelessd", "got string, want array"},
		{token + "secrets: {bad-name: x}", "bad-name"},
		{"secrets: {FALCO_TOKEN: 12345}", "got number, want string"},
		{"secrets: {FALCO_TOKEN: ''}", "minLength"},
		{token + "config: [sinks]", "/config"},
		{token + "service: {port: 70000}", "/service/port"},
		{token + "service: {port: '2801'}", "got string, want integer"},
		{token + "persistence: {type: disk}", "/persistence/type"},
		{token + "persistence: {size: lots}", "/persistence/size"},
		{token + "persistence: {accessModes: [ReadWriteMany]}", "/persistence/accessModes"},
		{token + "metrics: {serviceMonitor: {enabled: 'yes'}}", "got string, want boolean"},
		{token + "metrics: {serviceMonitor: {authorization: x}}", "/metrics/serviceMonitor/authorization"},
		{token + "metrics: {serviceMonitor: {relabelings: {a: b}}}", "/metrics/serviceMonitor/relabelings"},
		{token + "podLabels: {a: true}", "got boolean, want string"},
		{token + "terminationGracePeriodSeconds: 10", "must exceed preStopSleepSeconds (0) and drain_timeout (10s)"},
		{token + "config: {drain_timeout: 1m}", "drain_timeout (60s)"},
		{"mode: daemonset\nconfig: {drain_timeout: 25s}", "preStopSleepSeconds (5) and drain_timeout (25s)"},
		{"mode: daemonset\ndaemonset: {socketDir: run/falco}", "/daemonset/socketDir"},
		{"mode: daemonset\npersistence: {type: pvc}", "a daemonset has many pods"},
		{"mode: daemonset\npodDisruptionBudget: {enabled: true}", "podDisruptionBudget is for mode central"},
		{"mode: daemonset\ntls: {existingSecret: x}", "tls is for mode central"},
		{"mode: sidecar\nnetworkPolicy: {enabled: true}", "networkPolicy is for the modes central and daemonset"},
		{"mode: sidecar\nsidecar: {source: file}", "/sidecar/source"},
		{"mode: sidecar\nsidecar: {falcoLabels: {}}\n", ""},              // Helm lays it over the default, which stays
		{token + "fullnameOverride: soc.filelessd", "/fullnameOverride"}, // a Service can not have such a name
		{token + "fullnameOverride: 1st", "/fullnameOverride"},
		{token + "nameOverride: a.b", "/nameOverride"},
		{token + "config: {data_dir: /data}", "config.data_dir (/data): the volume for the log is mounted at /var/lib/filelessd"},
		{token + "config: {http: {listen: '0.0.0.0:9000'}}", "config.http.listen (0.0.0.0:9000): the probes ask at port 2804 of the pod"},
		{token + "config: {http: {listen: '127.0.0.1:2804'}}", "config.http.listen (127.0.0.1:2804): the probes ask at port 2804 of the pod"},
		{token + "config: {http: {listen: ''}}", "config.http.listen (): the probes"},
		{token + "config: {http: {listen: '[::]:2804'}}", ""},
		{token + "config: {http: {tls: {cert_file: /a, key_file: /b}}}", "config.http.tls: the probes and Prometheus ask without TLS"},
		{token + "config: {http: {token: x}}\nmetrics: {serviceMonitor: {enabled: true}}", "metrics.serviceMonitor.authorization"},
		{token + "config: {sources: {hook: {type: falco_http, listen: '0.0.0.0:2802'}}}", "config.sources: the Service leads to port 2801"},
		{token + "config: {sources: {hook: {type: falco_http, listen: '127.0.0.1:2801'}}}", "config.sources: the Service leads to port 2801"},
		{token + "config: {sources: {a: {type: falco_http, listen: '0.0.0.0:2802'}, b: {type: falco_http, listen: ':2801'}}}", ""},
		{token + "metrics: {service: {enabled: false}, serviceMonitor: {enabled: true}}", "serviceMonitor needs metrics.service"},
	} {
		_, err := Render(chartDir, release("v1.36.0"), []byte(c.values))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%q: %v", c.values, err)
		case c.want != "" && (err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), ".", "/"), strings.ReplaceAll(c.want, ".", "/"))):
			t.Errorf("%q: got %v, want %q", c.values, err, c.want)
		}
	}
}

// Helm allows names of releases that no Service can have.
func TestRefusedName(t *testing.T) {
	for name, want := range map[string]string{"filelessd.prod": "filelessd.prod is no name for a Service", "1st": "set fullnameOverride", "soc": ""} {
		_, err := Render(chartDir, Release{Name: name, Namespace: "soc", Kubernetes: "v1.36.0"}, []byte("mode: daemonset"))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
}

// The sidecar's container is in another chart's values, which have to be told of these.
func TestNotesOfSidecar(t *testing.T) {
	for values, want := range map[string]bool{"mode: sidecar": false, "mode: sidecar\nexistingSecrets: [filelessd]": false, "mode: sidecar\nexistingSecrets: [filelessd, soc]": true} {
		notes, err := Notes(chartDir, release("v1.36.0"), []byte(values))
		if err != nil || strings.Contains(notes, "Add to its envFrom: soc.") != want {
			t.Errorf("%q: %v\n%s", values, err, notes)
		}
	}
}

// What stands in values is data: whatever it holds, it arrives as it was given.
func TestValuesAreData(t *testing.T) {
	const hostile = "a\"b'c\n  kind: Secret\n---\n{{ .Release.Name }} ${X} \\ # : - \u202e"
	quoted, err := yaml.Marshal(map[string]any{
		"secrets":        map[string]any{"FALCO_TOKEN": hostile, "NUMBER": "1e3", "BOOL": "yes"},
		"podAnnotations": map[string]any{"note": hostile, "on": "off"},
		"config":         map[string]any{"match": map[string]any{"lab": []any{hostile, "0x10", "null"}}, "log": map[string]any{"level": "no"}},
		"extraEnv":       []any{map[string]any{"name": "A", "value": hostile}},
		"service":        map[string]any{"annotations": map[string]any{"x": hostile}},
		"image":          map[string]any{"tag": "1.10"},
	})
	if err != nil {
		t.Fatal(err)
	}
	objects, err := Render(chartDir, release("v1.36.0"), quoted)
	if err != nil {
		t.Fatal(err)
	}
	all := decode(t, objects)
	secret := get[*corev1.Secret](t, all, "Secret filelessd").Data
	if string(secret["FALCO_TOKEN"]) != hostile || string(secret["NUMBER"]) != "1e3" || string(secret["BOOL"]) != "yes" {
		t.Errorf("%q", secret)
	}
	pod := get[*appsv1.StatefulSet](t, all, "StatefulSet filelessd").Spec.Template
	c := pod.Spec.Containers[0]
	if pod.Annotations["note"] != hostile || pod.Annotations["on"] != "off" || c.Env[0].Value != hostile || c.Image != "ghcr.io/filelessd/filelessd:1.10" {
		t.Errorf("%q, %q, %s", pod.Annotations, c.Env, c.Image)
	}
	if got := get[*corev1.Service](t, all, "Service filelessd").Annotations["x"]; got != hostile {
		t.Errorf("%q", got)
	}
	var config struct {
		Match struct{ Lab []string }
		Log   struct{ Level string }
	}
	if err := yaml.Unmarshal([]byte(get[*corev1.ConfigMap](t, all, "ConfigMap filelessd").Data["config.yaml"]), &config); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(config.Match.Lab, []string{hostile, "0x10", "null"}) || config.Log.Level != "no" {
		t.Errorf("%q", config)
	}
}

package charts

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// Kustomize does what `kubectl kustomize DIR` does.
func Kustomize(dir string) ([]Object, error) {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return nil, err
	}
	data, err := resources.AsYaml()
	if err != nil {
		return nil, err
	}
	return Split(data)
}

// plain is the head of a generated file.
const plain = "# Rendered from the chart by go generate (internal/tools/charts); do not edit.\n"

// A Part is a file of manifests that is rendered from the chart.
type Part struct {
	// File below examples/kubernetes/kustomize.
	File string
	// Values of the chart.
	Values string
	// Kinds of the objects that go into the file.
	Kinds []string
}

var workload = []string{"ConfigMap", "DaemonSet", "Service", "ServiceAccount", "StatefulSet"}

// Parts are all such files.
func Parts() []Part {
	central := "mode: central\nexistingSecrets: [filelessd]\n"
	return []Part{
		{"base/central/filelessd.yaml", central, workload},
		{"base/daemonset/filelessd.yaml", "mode: daemonset\n", workload},
		{"base/sidecar-http/filelessd.yaml", "mode: sidecar\n", workload},
		{"base/sidecar-grpc/filelessd.yaml", "mode: sidecar\nsidecar: {source: grpc}\n", workload},
		{"components/network-policy/central/networkpolicy.yaml", central + "networkPolicy: {enabled: true}\n", []string{"NetworkPolicy"}},
		{"components/network-policy/daemonset/networkpolicy.yaml", "mode: daemonset\nnetworkPolicy: {enabled: true}\n", []string{"NetworkPolicy"}},
		{"components/monitoring/monitors.yaml", central + "metrics: {serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}}\n",
			[]string{"ServiceMonitor", "PrometheusRule"}},
		{"components/dashboard/dashboard.yaml", central + "grafanaDashboard: {enabled: true}\n", []string{"dashboard"}},
	}
}

// Plain renders a part: without what only Helm knows of, and without a namespace, which is kustomize's to set.
func (p Part) Plain(chart string) ([]byte, error) {
	objects, err := Render(chart, Release{Name: "filelessd", Namespace: "filelessd", Kubernetes: "v1.34.0"}, []byte(p.Values))
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString(plain)
	some := false
	for _, o := range objects {
		if o.IsHook() || !p.wants(o) {
			continue
		}
		Strip(o)
		data, err := yaml.Marshal(o)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "---\n%s", data)
		some = true
	}
	if !some {
		return nil, fmt.Errorf("%s: nothing was rendered", p.File)
	}
	return []byte(b.String()), nil
}

func (p Part) wants(o Object) bool {
	dashboard := strings.HasSuffix(o.Name(), "-dashboard")
	for _, kind := range p.Kinds {
		if kind == "dashboard" && dashboard || kind == o["kind"] && !dashboard {
			return true
		}
	}
	return false
}

// Strip takes away what differs between an object of the chart and the same of kustomize: the namespace and
// the labels that name Helm.
func Strip(o Object) {
	delete(o.Metadata(), "namespace")
	if labels, ok := o.Metadata()["labels"].(map[string]any); ok {
		delete(labels, "helm.sh/chart")
		delete(labels, "app.kubernetes.io/managed-by")
	}
}

const (
	sidecarHTTP = "kubernetes/kustomize/components/sidecar-http/"
	sidecarGRPC = "kubernetes/kustomize/components/sidecar-grpc/"
	tries       = "kubernetes/kustomize/try/"
)

// Copies are the files that the chart holds because Helm reads none outside of it: the copy, and the original,
// both below examples.
func Copies() map[string]string {
	return map[string]string{
		"kubernetes/chart/files/alerts.yaml":    "monitoring/alerts.yaml",
		"kubernetes/chart/files/dashboard.json": "monitoring/dashboard.json",

		// kustomize reads none outside of a component's directory either.
		sidecarHTTP + "falco/filelessd-http.yaml":   "falco/http.yaml",
		sidecarHTTP + "falco/filelessd-fields.yaml": "falco/fields.yaml",
		sidecarGRPC + "falco/filelessd-grpc.yaml":   "falco/grpc.yaml",
		sidecarGRPC + "falco/filelessd-fields.yaml": "falco/fields.yaml",
		sidecarGRPC + "falco/filelessd-text.yaml":   "falco/text.yaml",

		tries + "central/falco/filelessd-fields.yaml":   "falco/fields.yaml",
		tries + "daemonset/falco/filelessd-grpc.yaml":   "falco/grpc.yaml",
		tries + "daemonset/falco/filelessd-fields.yaml": "falco/fields.yaml",
		tries + "daemonset/falco/filelessd-text.yaml":   "falco/text.yaml",
	}
}

// Generate writes the copies and the parts below examples.
func Generate(examples string) error {
	var all []error
	for copied, original := range Copies() {
		data, err := os.ReadFile(filepath.Join(examples, original))
		if err == nil {
			err = os.WriteFile(filepath.Join(examples, copied), data, 0o644)
		}
		all = append(all, err)
	}
	for _, p := range Parts() {
		data, err := p.Plain(filepath.Join(examples, "kubernetes/chart"))
		if err == nil {
			err = os.WriteFile(filepath.Join(examples, "kubernetes/kustomize", p.File), data, 0o644)
		}
		all = append(all, err)
	}
	return errors.Join(all...)
}

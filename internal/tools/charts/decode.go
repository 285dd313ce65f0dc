package charts

import (
	"fmt"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"
)

// Decode reads an object strictly into the type that its apiVersion and kind name. A field that the type does
// not have, or a value of another type, is an error.
func Decode(o Object) (any, error) {
	into, ok := map[string]any{
		"v1 ConfigMap":                            new(corev1.ConfigMap),
		"v1 Secret":                               new(corev1.Secret),
		"v1 Service":                              new(corev1.Service),
		"v1 ServiceAccount":                       new(corev1.ServiceAccount),
		"v1 Pod":                                  new(corev1.Pod),
		"v1 Namespace":                            new(corev1.Namespace),
		"apps/v1 DaemonSet":                       new(appsv1.DaemonSet),
		"apps/v1 StatefulSet":                     new(appsv1.StatefulSet),
		"networking.k8s.io/v1 NetworkPolicy":      new(networkingv1.NetworkPolicy),
		"policy/v1 PodDisruptionBudget":           new(policyv1.PodDisruptionBudget),
		"monitoring.coreos.com/v1 ServiceMonitor": new(monitoringv1.ServiceMonitor),
		"monitoring.coreos.com/v1 PrometheusRule": new(monitoringv1.PrometheusRule),
	}[o.Kind()]
	if !ok {
		return nil, fmt.Errorf("no type for %s", o.Kind())
	}
	data, err := yaml.Marshal(o)
	if err != nil {
		return nil, err
	}
	if err := yaml.UnmarshalStrict(data, into); err != nil {
		return nil, fmt.Errorf("%s %s: %w", o.Kind(), o.Name(), err)
	}
	if wrong := validation.IsDNS1123Subdomain(o.Name()); len(wrong) > 0 {
		return nil, fmt.Errorf("%s: the name %q: %v", o.Kind(), o.Name(), wrong)
	}
	labels, _ := o.Metadata()["labels"].(map[string]any)
	for key, value := range labels {
		text, _ := value.(string)
		if wrong := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(text)...); len(wrong) > 0 {
			return nil, fmt.Errorf("%s %s: the label %s: %q: %v", o.Kind(), o.Name(), key, text, wrong)
		}
	}
	return into, nil
}

// Pod returns what an object makes pods of.
func Pod(object any) (corev1.PodTemplateSpec, bool) {
	switch o := object.(type) {
	case *corev1.Pod:
		return corev1.PodTemplateSpec{ObjectMeta: o.ObjectMeta, Spec: o.Spec}, true
	case *appsv1.DaemonSet:
		return o.Spec.Template, true
	case *appsv1.StatefulSet:
		return o.Spec.Template, true
	}
	return corev1.PodTemplateSpec{}, false
}

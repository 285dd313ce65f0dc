package charts

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// Violations are the rules of a level of the Pod Security Standards that a pod breaks, as admission words
// them; none means that a namespace of the level takes it.
func Violations(level api.Level, pod corev1.PodTemplateSpec) ([]string, error) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, result := range evaluator.EvaluatePod(api.LevelVersion{Level: level, Version: api.LatestVersion()}, &pod.ObjectMeta, &pod.Spec) {
		if !result.Allowed {
			found[result.ForbiddenReason] = true
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

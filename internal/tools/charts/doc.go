// Package charts checks what examples/kubernetes offers: the Helm chart, the manifests for kustomize, and the
// values for Falco's own chart. It reads them with the libraries of the programs that users have (Helm,
// kustomize), decodes each object strictly into the type that an API server would, and asks the library of
// Pod Security admission which level a pod meets.
//
// It is a module of its own so that filelessd's stays small. It asks no API server: what admission webhooks
// and fields together mean is not covered.
//
// The manifests for kustomize are rendered from the chart (./kustomize), so that the two can not say
// different things.
package charts

//go:generate go run ./kustomize ../../../examples

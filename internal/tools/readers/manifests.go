package readers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

// Compose reads a file with the loader of Docker Compose, which knows the specification's schema.
func Compose(data []byte) error {
	project, err := loader.LoadWithContext(context.Background(), types.ConfigDetails{
		WorkingDir:  "/",
		ConfigFiles: []types.ConfigFile{{Filename: "compose.yaml", Content: data}},
	}, func(o *loader.Options) { o.SetProjectName("test", true) })
	if err != nil {
		return err
	}
	if len(project.Services) == 0 {
		return errors.New("no services")
	}
	return nil
}

// Kubernetes decodes a manifest strictly into the type that it names. It does not ask an API server:
// admission and what fields mean together are not covered.
func Kubernetes(data []byte) error {
	for document := range bytes.SplitSeq(data, []byte("\n---\n")) {
		var head struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
		}
		if err := yaml.Unmarshal(document, &head); err != nil {
			return err
		}
		var into any
		switch head.APIVersion + " " + head.Kind {
		case "v1 Pod":
			into = new(corev1.Pod)
		case "networking.k8s.io/v1 NetworkPolicy":
			into = new(networkingv1.NetworkPolicy)
		default:
			return fmt.Errorf("no type for %s %s", head.APIVersion, head.Kind)
		}
		if err := yaml.UnmarshalStrict(document, into); err != nil {
			return err
		}
		if err := checkNames(into); err != nil {
			return err
		}
	}
	return nil
}

func checkNames(object any) error {
	switch o := object.(type) {
	case *corev1.Pod:
		if !isName.MatchString(o.Name) || len(o.Spec.Containers) == 0 {
			return fmt.Errorf("pod %q with %d containers", o.Name, len(o.Spec.Containers))
		}
		for _, c := range o.Spec.Containers {
			if !isName.MatchString(c.Name) || !strings.Contains(c.Image, "@sha256:") {
				return fmt.Errorf("container %q with image %q", c.Name, c.Image)
			}
		}
	case *networkingv1.NetworkPolicy:
		if !isName.MatchString(o.Name) || !isName.MatchString(o.Namespace) {
			return fmt.Errorf("policy %q in %q", o.Name, o.Namespace)
		}
	}
	return nil
}

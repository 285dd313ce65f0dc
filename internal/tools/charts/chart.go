package charts

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

// Release says what a chart is rendered for.
type Release struct {
	Name, Namespace string
	// Kubernetes is the version of the cluster, such as v1.35.0.
	Kubernetes string
}

// Render does what `helm template` does with the chart in dir, and returns its objects, hooks among them, in
// the order of their files' names.
func Render(dir string, r Release, values []byte) ([]Object, error) {
	files, err := render(dir, r, values)
	if err != nil {
		return nil, err
	}
	var objects []Object
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if path.Ext(name) != ".yaml" {
			continue
		}
		some, err := Split([]byte(files[name]))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		objects = append(objects, some...)
	}
	return objects, nil
}

// Notes is what `helm install` shows at the end.
func Notes(dir string, r Release, values []byte) (string, error) {
	files, err := render(dir, r, values)
	for name, text := range files {
		if path.Base(name) == "NOTES.txt" {
			return text, err
		}
	}
	return "", errors.Join(err, errors.New("no notes"))
}

func render(dir string, r Release, values []byte) (map[string]string, error) {
	chart, err := loader.Load(dir)
	if err != nil {
		return nil, err
	}
	given, err := loader.LoadValues(strings.NewReader(string(values)))
	if err != nil {
		return nil, err
	}
	version, err := common.ParseKubeVersion(r.Kubernetes)
	if err != nil {
		return nil, err
	}
	capabilities := common.DefaultCapabilities.Copy()
	capabilities.KubeVersion = *version
	options := common.ReleaseOptions{Name: r.Name, Namespace: r.Namespace, Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(chart, given, options, capabilities)
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: true}.RenderWithContext(context.Background(), chart, all)
}

// Lint does what `helm lint --strict` does with the chart in dir: a warning is an error too. Remarks
// (a missing icon) are none.
func Lint(dir string, r Release, values []byte) error {
	given, err := loader.LoadValues(strings.NewReader(string(values)))
	if err != nil {
		return err
	}
	version, err := common.ParseKubeVersion(r.Kubernetes)
	if err != nil {
		return err
	}
	var all []error
	for _, m := range lint.RunAll(dir, given, r.Namespace, lint.WithKubeVersion(version)).Messages {
		if m.Severity >= support.WarningSev {
			all = append(all, m)
		}
	}
	return errors.Join(all...)
}

// Object is a manifest as it was read.
type Object map[string]any

// Split returns the objects of a file with any number of documents.
func Split(data []byte) ([]Object, error) {
	var objects []Object
	for document := range strings.SplitSeq("\n"+string(data), "\n---") {
		var o Object
		if err := yaml.UnmarshalStrict([]byte(document), &o); err != nil {
			return nil, err
		}
		if len(o) > 0 {
			objects = append(objects, o)
		}
	}
	return objects, nil
}

// Kind is apiVersion and kind.
func (o Object) Kind() string { return fmt.Sprint(o["apiVersion"], " ", o["kind"]) }

// Metadata is the object's, empty if it has none.
func (o Object) Metadata() map[string]any {
	m, _ := o["metadata"].(map[string]any)
	return m
}

// Name is the object's own.
func (o Object) Name() string {
	name, _ := o.Metadata()["name"].(string)
	return name
}

// IsHook says whether the object is no part of the release but made at some moment of its life.
func (o Object) IsHook() bool {
	annotations, _ := o.Metadata()["annotations"].(map[string]any)
	return annotations["helm.sh/hook"] != nil
}

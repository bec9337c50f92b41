package main

import (
	"os"
	"strings"

	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/health"
	appv1 "github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

const healthKey = "resource.customizations.health."

// scripts returns the health scripts of an argocd-cm.yaml, by the names that Argo CD looks them up with.
func scripts(path string) (lua.ResourceHealthOverrides, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	config := corev1.ConfigMap{}
	if err := yaml.UnmarshalStrict(content, &config); err != nil {
		return nil, err
	}
	found := lua.ResourceHealthOverrides{}
	for key, script := range config.Data {
		if name, isHealth := strings.CutPrefix(key, healthKey); isHealth {
			group, kind, _ := strings.Cut(name, "_")
			found[group+"/"+kind] = appv1.ResourceOverride{HealthLua: script}
		}
	}
	return found, nil
}

// healthOf returns the health of each object; one without a health has none in Argo CD either.
func healthOf(objects []*unstructured.Unstructured, configMap string) ([]*health.HealthStatus, error) {
	overrides, err := scripts(configMap)
	if err != nil {
		return nil, err
	}
	all := make([]*health.HealthStatus, 0, len(objects))
	for _, each := range objects {
		found, err := health.GetResourceHealth(each, overrides)
		if err != nil {
			return nil, err
		}
		all = append(all, found)
	}
	return all, nil
}

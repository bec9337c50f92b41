package main

import (
	"context"

	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/diff"
	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/utils/kube"
	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/utils/tracing"
	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// manager is the field manager of Argo CD's server-side apply.
const manager = "argocd-controller"

func newKubectl() *kube.KubectlCmd {
	return &kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}
}

// live returns an object as the API server has it, nil if it does not.
func live(ctx context.Context, config *rest.Config, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	found, err := newKubectl().GetResource(
		ctx, config, object.GroupVersionKind(), object.GetName(), object.GetNamespace())
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return found, err
}

// compared says whether a resource is OutOfSync and what it would become, or why that could not be found out: with such an
// error the Application gets a ComparisonError, and no sync is tried.
type compared struct {
	OutOfSync bool   `json:"outOfSync"`
	Live      string `json:"live"`
	Predicted string `json:"predicted"`
	Error     string `json:"error"`
}

func differences(objects []*unstructured.Unstructured, kubeconfig string, serverSide bool) ([]compared, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	options := []diff.Option{diff.WithLogr(logr.Discard()), diff.WithManager(manager)}
	if serverSide {
		_, parser, err := newKubectl().LoadOpenAPISchema(config)
		if err != nil {
			return nil, err
		}
		applier, cleanup, err := newKubectl().ManageServerSideDiffDryRuns(config)
		if err != nil {
			return nil, err
		}
		defer cleanup()
		runner := diff.NewK8sServerSideDryRunner(applier)
		options = append(options,
			diff.WithGVKParser(parser), diff.WithServerSideDiff(true), diff.WithServerSideDryRunner(runner))
	}
	ctx := context.Background()
	all := make([]compared, 0, len(objects))
	for _, each := range objects {
		existing, err := live(ctx, config, each)
		if err != nil {
			return nil, err
		}
		found, err := diff.Diff(ctx, each, existing, options...)
		if err != nil {
			all = append(all, compared{Error: err.Error()})
			continue
		}
		all = append(all, compared{found.Modified, string(found.NormalizedLive), string(found.PredictedLive), ""})
	}
	return all, nil
}

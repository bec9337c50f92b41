package main

import (
	"context"
	"strings"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/sync"
	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/sync/common"
	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/utils/kube"
	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// refresh is how often the operation goes on; the controller does so when something changes.
const refresh = 500 * time.Millisecond

var models = schema.GroupVersionResource{Group: "fireworks.ai", Version: "v1alpha1", Resource: "fireworksdeployments"}

type syncOptions struct {
	clientSide, replace, confirmed bool
	timeout                        time.Duration
}

// operation is the state of a sync, and of each resource in it, by kind and name.
type operation struct {
	Phase     string             `json:"phase"`
	Message   string             `json:"message"`
	Seconds   float64            `json:"seconds"`
	Resources map[string]outcome `json:"resources"`
}

type outcome struct {
	Status  string `json:"status"`
	Phase   string `json:"phase"`
	Message string `json:"message"`
}

// allNamespaced is right for all that these tests apply.
type allNamespaced struct{}

func (allNamespaced) IsNamespaced(schema.GroupKind) (bool, error) { return true, nil }

// synchronise runs one sync as the controller does: step by step, each with what is live then and the results so far.
// What the Application has and Git has not is pruned.
func synchronise(objects []*unstructured.Unstructured, kubeconfig, configMap string, options syncOptions) (operation, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return operation{}, err
	}
	overrides, err := scripts(configMap)
	if err != nil {
		return operation{}, err
	}
	ctx := context.Background()
	begun := time.Now()
	phase, message, results := common.OperationRunning, "", []common.ResourceSyncResult(nil)
	for {
		state, err := reconciled(ctx, config, objects)
		if err != nil {
			return operation{}, err
		}
		step, cleanup, err := sync.NewSyncContext(
			"revision", state, config, config, newKubectl(), namespaceOf(objects),
			sync.WithLogr(logr.Discard()),
			sync.WithHealthOverride(overrides),
			sync.WithInitialState(phase, message, results, metav1.NewTime(begun)),
			sync.WithOperationSettings(false, true, false, false),
			sync.WithServerSideApply(!options.clientSide),
			sync.WithServerSideApplyManager(manager),
			sync.WithReplace(options.replace),
			sync.WithPruneConfirmed(options.confirmed),
		)
		if err != nil {
			return operation{}, err
		}
		step.Sync(ctx)
		cleanup()
		phase, message, results = step.GetState()
		if phase.Completed() || time.Since(begun) > options.timeout {
			return report(phase, message, results, time.Since(begun)), nil
		}
		time.Sleep(refresh)
	}
}

func namespaceOf(objects []*unstructured.Unstructured) string {
	if len(objects) == 0 {
		return ""
	}
	return objects[0].GetNamespace()
}

// reconciled pairs the manifests with what is live: each of them, hooks included, and what else the Application has.
func reconciled(ctx context.Context, config *rest.Config, objects []*unstructured.Unstructured) (sync.ReconciliationResult, error) {
	targets, existing := []*unstructured.Unstructured{}, map[kube.ResourceKey]*unstructured.Unstructured{}
	for _, each := range objects {
		targets = append(targets, each.DeepCopy())
		found, err := live(ctx, config, each)
		if err != nil {
			return sync.ReconciliationResult{}, err
		}
		if found != nil {
			existing[kube.GetResourceKey(found)] = found
		}
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return sync.ReconciliationResult{}, err
	}
	listed, err := client.Resource(models).Namespace(namespaceOf(objects)).List(ctx, metav1.ListOptions{})
	if err != nil {
		return sync.ReconciliationResult{}, err
	}
	for index := range listed.Items {
		each := &listed.Items[index]
		if strings.HasPrefix(each.GetAnnotations()[trackingAnnotation], application+":") {
			existing[kube.GetResourceKey(each)] = each
		}
	}
	return sync.Reconcile(targets, existing, namespaceOf(objects), allNamespaced{}), nil
}

func report(phase common.OperationPhase, message string, results []common.ResourceSyncResult, took time.Duration) operation {
	resources := map[string]outcome{}
	for _, each := range results {
		name := each.ResourceKey.Kind + "/" + each.ResourceKey.Name
		resources[name] = outcome{string(each.Status), string(each.HookPhase), each.Message}
	}
	return operation{string(phase), message, took.Seconds(), resources}
}

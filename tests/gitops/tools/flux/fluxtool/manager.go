package main

import (
	"context"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/cli-utils/pkg/object"
	"github.com/fluxcd/pkg/ssa"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// group is the API group of a Kustomization, which its labels and annotations begin with.
const group = "kustomize.toolkit.fluxcd.io"

// interval is how often the status is read; the controller does so every 5 s.
const interval = 500 * time.Millisecond

func newManager(kubeconfig string) (*ssa.ResourceManager, error) {
	log.SetLogger(logr.Discard())
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	transport, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	mapper, err := apiutil.NewDynamicRESTMapper(config, transport)
	if err != nil {
		return nil, err
	}
	kube, err := client.New(config, client.Options{HTTPClient: transport, Mapper: mapper})
	if err != nil {
		return nil, err
	}
	poller := polling.NewStatusPoller(kube, mapper, polling.Options{})
	return ssa.NewResourceManager(kube, poller, ssa.Owner{Field: "kustomize-controller", Group: group}), nil
}

// applied says what was done with each resource (created, configured, unchanged), or why nothing was.
type applied struct {
	Changes map[string]string `json:"changes"`
	Error   string            `json:"error"`
}

// apply applies with the options of kustomize-controller.
func apply(ctx context.Context, manager *ssa.ResourceManager, objects []*unstructured.Unstructured, force bool) applied {
	manager.SetOwnerLabels(objects, "models", "flux-system")
	options := ssa.DefaultApplyOptions()
	options.Force = force
	options.WaitInterval = interval
	options.ExclusionSelector = map[string]string{group + "/reconcile": "disabled", group + "/ssa": "Ignore"}
	options.IfNotPresentSelector = map[string]string{group + "/ssa": "IfNotPresent"}
	options.ForceSelector = map[string]string{group + "/force": "enabled"}
	changes, err := manager.ApplyAllStaged(ctx, objects, options)
	result := applied{Changes: map[string]string{}, Error: text(err)}
	if changes != nil && err == nil {
		for _, entry := range changes.Entries {
			result.Changes[entry.Subject] = string(entry.Action)
		}
	}
	return result
}

// waited says after how many seconds the wait ended, and why it failed.
type waited struct {
	Seconds float64 `json:"seconds"`
	Error   string  `json:"error"`
}

// waitFor waits as a Kustomization with `wait: true` does.
func waitFor(ctx context.Context, manager *ssa.ResourceManager, objects []*unstructured.Unstructured, timeout time.Duration) waited {
	begun := time.Now()
	err := manager.WaitForSetWithContext(ctx, object.UnstructuredSetToObjMetadataSet(objects), ssa.WaitOptions{
		Interval: interval,
		Timeout:  timeout,
		FailFast: true,
	})
	return waited{time.Since(begun).Seconds(), text(err)}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Command autoscaler runs the controller for HorizontalPodAutoscalers of kube-controller-manager, built from the published
// Go modules:
//
//	autoscaler KUBECONFIG METRICS
//
// METRICS is the address of what serves external.metrics.k8s.io; in a cluster, the API server hands requests on to it.
// It looks every second, scales down at once, and has no other metrics.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/scale"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/kubernetes/pkg/controller/podautoscaler"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
	"k8s.io/metrics/pkg/client/external_metrics"
)

const (
	period        = time.Second
	stabilisation = 0
	// As kube-controller-manager has them.
	tolerance     = 0.1
	cpuPeriod     = 5 * time.Minute
	readinessWait = 30 * time.Second
	resync        = 12 * time.Hour
	workers       = 5
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: autoscaler KUBECONFIG METRICS")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintf(os.Stderr, "autoscaler: %v\n", err)
		os.Exit(1)
	}
}

// run runs the controller until the context ends.
func run(ctx context.Context, kubeconfig, metricsURL string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery()))
	kinds := scale.NewDiscoveryScaleKindResolver(client.Discovery())
	scales, err := scale.NewForConfig(config, mapper, dynamic.LegacyAPIPathResolverFunc, kinds)
	if err != nil {
		return err
	}
	external, err := external_metrics.NewForConfig(&rest.Config{Host: metricsURL})
	if err != nil {
		return err
	}
	shared := informers.NewSharedInformerFactory(client, resync)
	controller := podautoscaler.NewHorizontalController(
		ctx, client.CoreV1(), scales, client.AutoscalingV2(), mapper,
		metrics.NewRESTMetricsClient(nil, nil, external),
		shared.Autoscaling().V2().HorizontalPodAutoscalers(), shared.Core().V1().Pods(),
		period, stabilisation, tolerance, cpuPeriod, readinessWait)
	shared.Start(ctx.Done())
	controller.Run(ctx, workers)
	return nil
}

package main

import (
	"context"
	"fmt"
	"os/signal"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/controller-manager/pkg/informerfactory"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/clusterroleaggregation"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"
	"k8s.io/kubernetes/pkg/controller/namespace"
	"k8s.io/kubernetes/pkg/controller/serviceaccount"
)

const (
	resync          = 12 * time.Hour
	namespaceResync = 5 * time.Minute
	// How often the garbage collector looks for kinds that are new, and forgets those that are gone.
	discoveryPeriod = 30 * time.Second
)

// runControllers runs those controllers of kube-controller-manager that a cluster without nodes needs, with the
// numbers of workers and the request rates that it gives them: they delete the content of namespaces and what belongs
// to deleted owners, make the service account "default", and fill the roles view, edit and admin. It returns when the
// process is told to end.
//
// kube-controller-manager itself has some fifty more, and takes a multiple of the time to build.
func runControllers(kubeconfig string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	c, err := newClients(config, 1)
	if err != nil {
		return err
	}
	shared := informers.NewSharedInformerFactoryWithOptions(c.kubernetes, resync, informers.WithTransform(trim))
	ofMetadata := metadatainformer.NewSharedInformerFactoryWithOptions(
		c.metadata, resync, metadatainformer.WithTransform(trim))
	started := make(chan struct{})

	collect, err := garbageCollector(ctx, config, informerfactory.NewInformerFactory(shared, ofMetadata), started)
	if err != nil {
		return err
	}
	deleteNamespaces, err := namespaces(ctx, config, shared)
	if err != nil {
		return err
	}
	accounts, err := serviceaccount.NewServiceAccountsController(
		klog.FromContext(ctx), shared.Core().V1().ServiceAccounts(), shared.Core().V1().Namespaces(), c.kubernetes,
		serviceaccount.DefaultServiceAccountsControllerOptions())
	if err != nil {
		return err
	}
	roles := clusterroleaggregation.NewClusterRoleAggregation(
		shared.Rbac().V1().ClusterRoles(), c.kubernetes.RbacV1())

	var running sync.WaitGroup
	for _, run := range []func(){
		collect,
		deleteNamespaces,
		func() { accounts.Run(ctx, 1) },
		func() { roles.Run(ctx, 5) },
	} {
		running.Go(run)
	}
	shared.Start(ctx.Done())
	ofMetadata.Start(ctx.Done())
	close(started)
	running.Wait()
	return nil
}

// garbageCollector returns what runs the garbage collector.
func garbageCollector(
	ctx context.Context, config *rest.Config, informers informerfactory.InformerFactory, started <-chan struct{},
) (func(), error) {
	// Each deletion takes two requests.
	c, err := newClients(config, 2)
	if err != nil {
		return nil, err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(c.kubernetes.Discovery()))
	graph := garbagecollector.NewDependencyGraphBuilder(
		ctx, c.metadata, mapper, garbagecollector.DefaultIgnoredResources(), informers, started)
	collector, err := garbagecollector.NewComposedGarbageCollector(ctx, c.kubernetes, c.metadata, mapper, graph)
	if err != nil {
		return nil, fmt.Errorf("garbage collector: %w", err)
	}
	return func() {
		var running sync.WaitGroup
		running.Go(func() { collector.Run(ctx, 20, discoveryPeriod) })
		// It also has the mapper look anew.
		running.Go(func() { collector.Sync(ctx, c.kubernetes.Discovery(), discoveryPeriod) })
		running.Wait()
	}, nil
}

// namespaces returns what runs the controller that deletes the content of namespaces.
func namespaces(ctx context.Context, config *rest.Config, shared informers.SharedInformerFactory) (func(), error) {
	// It makes many small requests.
	c, err := newClients(config, 20)
	if err != nil {
		return nil, err
	}
	controller := namespace.NewNamespaceController(
		ctx, c.kubernetes, c.metadata, c.kubernetes.Discovery().ServerPreferredNamespacedResources,
		shared.Core().V1().Namespaces(), namespaceResync, corev1.FinalizerKubernetes)
	return func() { controller.Run(ctx, 10) }, nil
}

type clients struct {
	kubernetes kubernetes.Interface
	metadata   metadata.Interface
}

// newClients returns clients that make at most 20 requests per second times a factor.
func newClients(config *rest.Config, factor float32) (clients, error) {
	limited := rest.AddUserAgent(rest.CopyConfig(config), "controllers")
	limited.QPS, limited.Burst = 20*factor, int(30*factor)
	forMetadata, err := metadata.NewForConfig(limited)
	if err != nil {
		return clients{}, err
	}
	limited.ContentType = runtime.ContentTypeProtobuf
	limited.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	forAll, err := kubernetes.NewForConfig(limited)
	return clients{forAll, forMetadata}, err
}

// trim drops what no controller reads from the objects that they keep in memory.
func trim(object any) (any, error) {
	if accessor, err := meta.Accessor(object); err == nil && accessor.GetManagedFields() != nil {
		accessor.SetManagedFields(nil)
	}
	return object, nil
}

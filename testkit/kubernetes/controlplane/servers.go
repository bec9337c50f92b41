//go:build !controllers_only

package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func init() {
	parts["etcd"] = func() int {
		etcdmain.Main(os.Args) // exits by itself when it fails
		return 0
	}
	// Made only when it is run: it registers its flags and metrics then.
	parts["kube-apiserver"] = func() int { return cli.Run(apiserver.NewAPIServerCommand()) }
}

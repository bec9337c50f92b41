// Command controlplane is the control plane of a small Kubernetes cluster in one binary, built from the published Go
// modules. The name it is called by, or else its first argument, says which part to run:
//
//	controlplane etcd|kube-apiserver|kube-controller-manager|kubectl [FLAGS]
//	controlplane certs DIRECTORY NAME...
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

const usage = `usage: controlplane etcd|kube-apiserver|kube-controller-manager|kubectl [FLAGS]
       controlplane certs DIRECTORY NAME...
`

func main() {
	// A link with the name of a part stands for "controlplane PART".
	if run := part(filepath.Base(os.Args[0])); run != nil {
		os.Exit(run())
	}
	if len(os.Args) > 1 {
		if run := part(os.Args[1]); run != nil {
			os.Args = os.Args[1:]
			os.Exit(run())
		}
	}
	fmt.Fprint(os.Stderr, usage)
	os.Exit(2)
}

// part returns what runs the part of that name and gives its exit code, or nil if there is no such part.
func part(name string) func() int {
	switch name {
	case "etcd":
		return func() int {
			etcdmain.Main(os.Args) // exits by itself when it fails
			return 0
		}
	case "kube-apiserver":
		return component(apiserver.NewAPIServerCommand)
	case "kube-controller-manager":
		return component(controllermanager.NewControllerManagerCommand)
	case "kubectl":
		return component(kubectl.NewDefaultKubectlCommand)
	case "certs":
		return certs
	}
	return nil
}

// component defers making the command until the part is run: each registers its flags and metrics when made.
func component(make func() *cobra.Command) func() int {
	return func() int { return cli.Run(make()) }
}

// certs writes the cluster's keys and certificates, see writeCertificates.
func certs() int {
	if len(os.Args) < 3 {
		fmt.Fprint(os.Stderr, usage)
		return 2
	}
	if err := writeCertificates(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "controlplane certs: %v\n", err)
		return 1
	}
	return 0
}

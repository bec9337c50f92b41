// Command node is the part of Kubernetes that runs pods, in one binary built from the published Go modules. The name it is
// called by, or else its first argument, says which part to run:
//
//	node kube-scheduler|kube-controller-manager|kubelet|kube-proxy [FLAGS]
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() {
	// A link with the name of a part stands for "node PART".
	command := part(filepath.Base(os.Args[0]))
	if command == nil && len(os.Args) > 1 {
		command = part(os.Args[1])
		os.Args = os.Args[1:]
	}
	if command == nil {
		fmt.Fprintln(os.Stderr, "usage: node kube-scheduler|kube-controller-manager|kubelet|kube-proxy [FLAGS]")
		os.Exit(2)
	}
	os.Exit(cli.Run(command))
}

// part returns the command of the part of that name, or nil if there is no such part.
func part(name string) *cobra.Command {
	switch name {
	case "kube-scheduler":
		return scheduler.NewSchedulerCommand()
	case "kube-controller-manager":
		return controllermanager.NewControllerManagerCommand()
	case "kubelet":
		return kubelet.NewKubeletCommand(context.Background())
	case "kube-proxy":
		return proxy.NewProxyCommand()
	}
	return nil
}

// Command controlplane is the control plane of a small Kubernetes cluster in one binary, built from the published Go
// modules. The name it is called by, or else its first argument, says which part to run:
//
//	controlplane etcd|kube-apiserver [FLAGS]
//	controlplane controllers KUBECONFIG
//	controlplane certs DIRECTORY NAME...
//
// With the build tag controllers_only, etcd and kube-apiserver are left out: for those who have them already.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

const usage = `usage: controlplane etcd|kube-apiserver [FLAGS]
       controlplane controllers KUBECONFIG
       controlplane certs DIRECTORY NAME...
`

// parts maps the name of each part to what runs it and returns its exit code; see also servers.go.
var parts = map[string]func() int{
	"controllers": controllers,
	"certs":       certs,
}

func main() {
	// A link with the name of a part stands for "controlplane PART".
	if run, found := parts[filepath.Base(os.Args[0])]; found {
		os.Exit(run())
	}
	if len(os.Args) > 1 {
		if run, found := parts[os.Args[1]]; found {
			os.Args = os.Args[1:]
			os.Exit(run())
		}
	}
	os.Exit(misused())
}

// controllers runs the controllers until the process is told to end, see runControllers.
func controllers() int {
	if len(os.Args) != 2 {
		return misused()
	}
	if err := runControllers(os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "controlplane controllers: %v\n", err)
		return 1
	}
	return 0
}

// certs writes the cluster's keys and certificates, see writeCertificates.
func certs() int {
	if len(os.Args) < 3 {
		return misused()
	}
	if err := writeCertificates(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "controlplane certs: %v\n", err)
		return 1
	}
	return 0
}

func misused() int {
	fmt.Fprint(os.Stderr, usage)
	return 2
}

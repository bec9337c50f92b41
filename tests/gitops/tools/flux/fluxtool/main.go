// Command fluxtool does with the manifests on its standard input what Flux' kustomize-controller does with those of a
// Kustomization, by Flux' own libraries, and prints what came of it as JSON:
//
//	fluxtool apply [--force] [--timeout DURATION] KUBECONFIG     applies them on the server
//	fluxtool wait [--timeout DURATION] KUBECONFIG                waits until they are ready, as `wait: true` does
//	fluxtool kstatus                                             computes the status of each
//
// Exit code 0 means that it did so; what Flux found wrong is in `error`.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	fluxstatus "github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/ssa/utils"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	upstream "sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

func main() {
	result, err := run(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "fluxtool: %v\n", err)
		os.Exit(1)
	}
}

func run(arguments []string) (any, error) {
	if len(arguments) == 0 {
		return nil, fmt.Errorf("usage: fluxtool apply|wait|kstatus [FLAGS] [KUBECONFIG]")
	}
	flags := flag.NewFlagSet("fluxtool", flag.ContinueOnError)
	force := flags.Bool("force", false, "spec.force of the Kustomization")
	timeout := flags.Duration("timeout", time.Minute, "spec.timeout of the Kustomization")
	if err := flags.Parse(arguments[1:]); err != nil {
		return nil, err
	}
	objects, err := utils.ReadObjects(os.Stdin)
	if err != nil {
		return nil, err
	}
	if arguments[0] == "kstatus" {
		return statuses(objects)
	}
	manager, err := newManager(flags.Arg(0))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	switch arguments[0] {
	case "apply":
		return apply(ctx, manager, objects, *force), nil
	case "wait":
		return waitFor(ctx, manager, objects, *timeout), nil
	}
	return nil, fmt.Errorf("there is no command %q", arguments[0])
}

// computed is what kstatus says about a resource: the copy that Flux and Helm use, and the original.
type computed struct {
	Flux     string `json:"flux"`
	Upstream string `json:"upstream"`
	Message  string `json:"message"`
}

func statuses(objects []*unstructured.Unstructured) ([]computed, error) {
	all := make([]computed, 0, len(objects))
	for _, object := range objects {
		found, err := fluxstatus.Compute(object)
		if err != nil {
			return nil, err
		}
		original, err := upstream.Compute(object)
		if err != nil {
			return nil, err
		}
		all = append(all, computed{found.Status.String(), original.Status.String(), found.Message})
	}
	return all, nil
}

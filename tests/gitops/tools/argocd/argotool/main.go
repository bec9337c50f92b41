// Command argotool does with the manifests on its standard input what Argo CD's application controller does with those of
// an Application, by Argo CD's own libraries, and prints what came of it as JSON:
//
//	argotool health CONFIGMAP                               the health of each, by the scripts of an argocd-cm.yaml
//	argotool diff [--server-side] KUBECONFIG                whether each is OutOfSync
//	argotool sync [FLAGS] KUBECONFIG CONFIGMAP              one sync, with its waves and hooks, until it ends or --timeout
//
// Exit code 0 means that it did so; what Argo CD found wrong is in the answer.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/utils/kube"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const usage = "usage: argotool health CONFIGMAP | diff [FLAGS] KUBECONFIG | sync [FLAGS] KUBECONFIG CONFIGMAP"

func main() {
	result, err := run(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "argotool: %v\n", err)
		os.Exit(1)
	}
}

func run(arguments []string) (any, error) {
	if len(arguments) == 0 {
		return nil, fmt.Errorf("%s", usage)
	}
	flags := flag.NewFlagSet("argotool", flag.ContinueOnError)
	options := syncOptions{}
	serverSide := flags.Bool("server-side", false, "compare-options: ServerSideDiff=true")
	flags.BoolVar(&options.clientSide, "client-side-apply", false, "without the sync option ServerSideApply=true")
	flags.BoolVar(&options.replace, "replace", false, "sync option Replace=true")
	flags.BoolVar(&options.confirmed, "confirmed", false, "somebody has confirmed what is to be pruned")
	flags.DurationVar(&options.timeout, "timeout", time.Minute, "after which the operation is left as it is")
	if err := flags.Parse(arguments[1:]); err != nil {
		return nil, err
	}
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return nil, err
	}
	objects, err := kube.SplitYAML(input)
	if err != nil {
		return nil, err
	}
	switch arguments[0] {
	case "health":
		return healthOf(objects, flags.Arg(0))
	case "diff":
		return differences(tracked(objects), flags.Arg(0), *serverSide)
	case "sync":
		return synchronise(tracked(objects), flags.Arg(0), flags.Arg(1), options)
	}
	return nil, fmt.Errorf("%s", usage)
}

const (
	application        = "models"
	trackingAnnotation = "argocd.argoproj.io/tracking-id"
)

// tracked marks the manifests as Argo CD marks what belongs to an Application.
func tracked(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	for _, each := range objects {
		annotations := each.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		kind := each.GroupVersionKind()
		annotations[trackingAnnotation] = fmt.Sprintf(
			"%s:%s/%s:%s/%s", application, kind.Group, kind.Kind, each.GetNamespace(), each.GetName())
		each.SetAnnotations(annotations)
	}
	return objects
}

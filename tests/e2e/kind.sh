#!/bin/sh
# Runs a command with a kind cluster of its own that holds both images, and deletes the cluster afterwards. The kubeconfig
# is a file of its own, too: nobody's current context changes. KIND_NODE_IMAGE names another node than kind's own.
set -eu
name=fireworks-operator-e2e
for program in docker kind; do
    command -v "$program" > /dev/null || { echo "kind: there is no $program on PATH" >&2; exit 1; }
done
kubeconfig=$(mktemp)
trap 'kind delete cluster --name "$name" --kubeconfig "$kubeconfig"; rm -f "$kubeconfig"' EXIT
trap 'exit 130' INT TERM
kind create cluster --name "$name" --kubeconfig "$kubeconfig" --wait 120s ${KIND_NODE_IMAGE:+--image "$KIND_NODE_IMAGE"}
kind load docker-image --name "$name" fireworks-operator:dev fireworks-simulator:dev
FIREWORKS_E2E=1 FIREWORKS_TEST_KUBECONFIG=$kubeconfig "$@"

"""Pages about putting the operator into a cluster and taking it out again; no operator runs beside them."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fireworks_operator.api.crd import render_crds
from fireworks_operator.api.kinds import KINDS
from testkit.documentation.reader import Reader

SYSTEM = "fireworks-system"
NAMESPACES = (SYSTEM, "team-a", "team-b", "inference-operator")
CRDS = tuple(f"crd/{each.crd}" for each in KINDS)
MODEL = "accounts/fireworks/models/llama-v3p1-8b-instruct"


@pytest.fixture
def reader(home: Reader) -> Iterator[Reader]:
    """The reader, before anything is installed."""
    yield home
    home.terminal().run(f"helm uninstall fireworks-operator --namespace {SYSTEM} --ignore-not-found")
    home.cluster.kubectl("delete", "namespace", *NAMESPACES, "--ignore-not-found")
    home.cluster.kubectl(
        "delete", "clusterroles,clusterrolebindings", "-l", "app.kubernetes.io/name=fireworks-operator"
    )
    home.cluster.kubectl("delete", *CRDS, "--ignore-not-found")


def deployed(reader: Reader, namespace: str = SYSTEM) -> dict[str, str]:
    """Return the images of the Deployments in a namespace."""
    listed = reader.cluster.kubectl("get", "deployments", "--namespace", namespace, "-o", "json").stdout
    return {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]["containers"][0]["image"]
        for each in json.loads(listed)["items"]
    }


def test_readme_of_the_chart(reader: Reader) -> None:
    with reader.follow("charts/fireworks-operator/README.md") as page:
        page.run("kubectl create namespace")
    assert deployed(reader)["fireworks-operator"].startswith("registry.example.com/fireworks-operator:")


@pytest.mark.timeout(300)
def test_installation(reader: Reader) -> None:
    terminal = reader.terminal()
    uninstall = f"helm uninstall fireworks-operator --namespace {SYSTEM}"
    with reader.follow("docs/installation.md", terminal=terminal) as page:
        page.run("kubectl create namespace")
        page.run("helm install")
        assert deployed(reader)["fireworks-operator"].startswith("registry.example.com/fireworks-operator:")
        terminal.run(uninstall)

        page.run("sed")
        assert deployed(reader)["fireworks-operator"].startswith("registry.example.com/fireworks-operator:")
        page.run("kubectl apply --server-side -k")
        assert deployed(reader, "inference-operator")["fireworks-operator"].startswith("registry.example.com/")
        for each in ("-k deploy/example", "-f deploy/base/install.yaml"):
            terminal.run(f"kubectl delete --wait=false --ignore-not-found {each}")
        reader.cluster.kubectl("wait", "--for=delete", f"namespace/{SYSTEM}", *CRDS, "--timeout=90s")

        reader.create_namespaces(SYSTEM, "team-a", "team-b")
        reader.apply(render_crds())
        page.run("helm install")

        reader.apply(json.dumps(resource("chat")))
        page.run("kubectl delete fireworksdeployments")
        page.run("helm uninstall")
        assert deployed(reader) == {}
        assert reader.cluster.kubectl("get", *CRDS, check=False).returncode == 0, "the CRDs stay"
        page.run("kubectl delete crd")


def test_upgrade(reader: Reader) -> None:
    terminal = reader.terminal(programs=Path(sys.executable).parent)

    def revisions() -> int:
        return len(json.loads(terminal.run(f"helm history fireworks-operator -n {SYSTEM} -o json")[0]))

    terminal.run(f"helm install fireworks-operator charts/fireworks-operator --namespace {SYSTEM} --create-namespace")
    with reader.follow("docs/upgrade.md", terminal=terminal) as page:
        assert "fireworksdeployments.fireworks.ai v1alpha1 is installed and matches this version" in page.run(
            "helm upgrade"
        )
        assert revisions() == 2
        page.run("kubectl apply --server-side --force-conflicts")
        page.run("helm rollback")
        assert revisions() == 3


def test_images(reader: Reader) -> None:
    with reader.follow("docs/images.md", {"make image": "make --dry-run image"}) as page:
        assert "tests.e2e.image" in page.run("make --dry-run image")


def resource(name: str) -> dict[str, object]:
    """Return a resource."""
    metadata = {"name": name, "namespace": "default"}
    return {
        "apiVersion": "fireworks.ai/v1alpha1",
        "kind": "FireworksDeployment",
        "metadata": metadata,
        "spec": {"baseModel": MODEL},
    }

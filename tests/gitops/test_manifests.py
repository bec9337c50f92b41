"""The manifests for Argo CD and Flux: complete, guarded against deleting GPUs, and accepted by the API server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema.validators import validator_for

from testkit.kubernetes import Cluster, GivenCluster
from tests.gitops.generate import ROOT

ARGOCD, FLUX = ROOT / "deploy/argocd", ROOT / "deploy/flux"
PAGE = ROOT / "docs/gitops.md"
RESOURCES = [ARGOCD / "models/chat.yaml", FLUX / "models/chat.yaml"]
Json = dict[str, Any]


def documents(folder: Path) -> Iterator[Json]:
    """Yield all objects in the YAML files of a folder, but for Argo CD's own test."""
    for path in sorted(folder.rglob("*.yaml")):
        if "resource_customizations" not in path.parts:
            yield from yaml.safe_load_all(path.read_text())


def of_kind(folder: Path, kind: str) -> list[Json]:
    """Return the objects of a kind."""
    return [each for each in documents(folder) if each["kind"] == kind]


def annotation(resource: Json, name: str) -> str:
    """Return an annotation; empty if it is not there."""
    return str(resource["metadata"].get("annotations", {}).get(name, ""))


def keys(value: object) -> Iterator[str]:
    """Yield every key of every object inside a value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys(inner)
    elif isinstance(value, list):
        for each in value:
            yield from keys(each)


@pytest.fixture(scope="module")
def server(cluster: Cluster | GivenCluster, crd_file: Path) -> Cluster | GivenCluster:
    """The API server, knowing the resource."""
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(crd_file))
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(crd_file))
    return cluster


@pytest.mark.parametrize("path", RESOURCES, ids=lambda path: path.parts[-3])
def test_the_api_server_accepts_the_resource_as_gitops_tools_apply_it(
    server: Cluster | GivenCluster, path: Path
) -> None:
    done = server.kubectl(
        "apply", "--server-side", "--field-manager=gitops", "--dry-run=server", "--validate=strict", "-f", str(path)
    )
    assert done.stderr == ""


def test_the_api_server_accepts_the_smoke_test(server: Cluster | GivenCluster) -> None:
    path = ARGOCD / "models/smoke-test.yaml"
    done = server.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(path))
    assert done.stderr == ""


def test_the_health_check_is_added_to_what_argo_cds_configuration_holds_already(
    server: Cluster | GivenCluster,
) -> None:
    server.kubectl("create", "namespace", "argocd")
    try:
        server.kubectl(
            "create", "configmap", "argocd-cm", "--namespace=argocd", "--from-literal=url=https://argo.example"
        )
        patch = f"--patch-file={ARGOCD / 'argocd-cm.yaml'}"
        server.kubectl("patch", "configmap", "argocd-cm", "--namespace", "argocd", patch)
        found = json.loads(server.kubectl("get", "configmap", "argocd-cm", "--namespace=argocd", "-o", "json").stdout)
        (config,) = of_kind(ARGOCD, "ConfigMap")
        assert found["data"] == {"url": "https://argo.example", **config["data"]}
    finally:
        server.kubectl("delete", "namespace", "argocd", "--wait=false")


def test_argo_cd_asks_before_it_deletes_a_deployment() -> None:
    (resource,) = of_kind(ARGOCD, "FireworksDeployment")
    assert annotation(resource, "argocd.argoproj.io/sync-options") == "Prune=confirm,Delete=confirm"
    assert annotation(resource, "argocd.argoproj.io/sync-wave") == "0"


def test_argo_cd_applies_on_the_server_in_waves_and_never_replaces() -> None:
    operator, models = sorted(of_kind(ARGOCD, "Application"), key=lambda each: str(each["metadata"]["name"]))
    (per_team,) = of_kind(ARGOCD, "ApplicationSet")
    waves = [annotation(each, "argocd.argoproj.io/sync-wave") for each in (operator, models)]
    assert waves == ["0", "1"]
    for spec in (operator["spec"], models["spec"], per_team["spec"]["template"]["spec"]):
        options = spec["syncPolicy"]["syncOptions"]
        assert "ServerSideApply=true" in options
        assert not {"Replace=true", "Force=true"} & set(options)
    assert per_team["spec"]["syncPolicy"]["preserveResourcesOnDeletion"] is True
    for each in (operator, models):
        assert (ROOT / each["spec"]["source"]["path"]).is_dir()


def test_flux_does_not_prune_a_deployment_and_never_forces() -> None:
    (resource,) = of_kind(FLUX, "FireworksDeployment")
    assert annotation(resource, "kustomize.toolkit.fluxcd.io/prune") == "disabled"
    assert "force" not in set(keys(list(documents(FLUX))))


def test_flux_waits_for_the_operator_and_then_for_the_models() -> None:
    operator, models = of_kind(FLUX, "Kustomization")
    assert models["spec"]["dependsOn"] == [{"name": operator["metadata"]["name"]}]
    assert models["spec"]["deletionPolicy"] == "Orphan"
    for each in (operator, models):
        assert each["spec"]["wait"] is True
        assert (ROOT / each["spec"]["path"]).is_dir()


def test_the_chart_accepts_the_values_that_gitops_tools_give_it() -> None:
    schema = json.loads((ROOT / "charts/fireworks-operator/values.schema.json").read_text())
    (release,) = of_kind(FLUX, "HelmRelease")
    operator = next(each for each in of_kind(ARGOCD, "Application") if each["metadata"]["name"] != "models")
    for values in (release["spec"]["values"], operator["spec"]["source"]["helm"]["valuesObject"]):
        assert list(validator_for(schema)(schema).iter_errors(values)) == []
    assert (ROOT / release["spec"]["chart"]["spec"]["chart"]).is_dir()


def test_the_smoke_test_asks_for_the_model_that_is_deployed() -> None:
    (resource,), (job,) = of_kind(ARGOCD, "FireworksDeployment"), of_kind(ARGOCD, "Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    model = next(each["value"] for each in container["env"] if each["name"] == "MODEL")
    spec = resource["spec"]
    assert model.startswith(f"{spec['baseModel']}#accounts/")
    assert model.endswith(f"/deployments/{spec['deploymentId']}")


def test_the_page_warns_of_what_deletes_gpus() -> None:
    page = PAGE.read_text()
    for word in (
        "Prune=confirm,Delete=confirm",
        "prune: disabled",
        "force: true",
        "Replace=true",
        "ServerSideApply=true",
    ):
        assert word in page

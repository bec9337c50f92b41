"""The manifests for Argo CD and Flux: complete, pinned to this version, guarded against deleting GPUs, and accepted."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema.validators import validator_for

from testkit.kubernetes import Cluster, GivenCluster
from testkit.kubernetes.definitions import apply_crds
from tests.gitops.generate import ARGOCD, FLUX, ROOT, VERSION

CHART = ROOT / "charts/fireworks-operator"
PAGE = ROOT / "docs/gitops.md"
RESOURCES = [ARGOCD / "models/chat.yaml", FLUX / "models/chat.yaml"]
WAVE = "argocd.argoproj.io/sync-wave"
Json = dict[str, Any]


def documents(folder: Path) -> Iterator[Json]:
    """Yield all objects in the YAML files of a folder, but for Argo CD's own test."""
    for path in sorted(folder.rglob("*.yaml")):
        if "resource_customizations" not in path.parts:
            yield from yaml.safe_load_all(path.read_text())


def of_kind(folder: Path, kind: str) -> list[Json]:
    """Return the objects of a kind."""
    return [each for each in documents(folder) if each["kind"] == kind]


def named(folder: Path, kind: str, name: str) -> Json:
    """Return the object of a kind with a name."""
    return next(each for each in of_kind(folder, kind) if each["metadata"]["name"] == name)


def argo_specs() -> dict[str, Json]:
    """Return the specs of all Applications by name, and that of the one that the ApplicationSet makes."""
    (per_team,) = of_kind(ARGOCD, "ApplicationSet")
    template = {"metadata": {"name": "per team"}, "spec": per_team["spec"]["template"]["spec"]}
    return {str(each["metadata"]["name"]): each["spec"] for each in (*of_kind(ARGOCD, "Application"), template)}


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
def server(cluster: Cluster | GivenCluster, crds: Path) -> Cluster | GivenCluster:
    """The API server, knowing the resource."""
    apply_crds(cluster, crds)
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
    assert annotation(resource, WAVE) == "0"


def test_argo_cd_applies_on_the_server_in_waves_and_never_replaces() -> None:
    specs = argo_specs()
    assert specs.keys() == {"fireworks", "fireworks-operator", "models", "per team"}
    waves = [annotation(named(ARGOCD, "Application", each), WAVE) for each in ("fireworks-operator", "models")]
    assert waves == ["0", "1"]
    for name in ("fireworks-operator", "models", "per team"):
        options = specs[name]["syncPolicy"]["syncOptions"]
        assert "ServerSideApply=true" in options
        assert not {"Replace=true", "Force=true"} & set(options)
    (per_team,) = of_kind(ARGOCD, "ApplicationSet")
    assert per_team["spec"]["syncPolicy"]["preserveResourcesOnDeletion"] is True
    for name in ("models", "fireworks"):
        assert (ROOT / specs[name]["source"]["path"]).is_dir()


def test_argo_cd_reports_an_invalid_change_of_a_model() -> None:
    (per_team,) = of_kind(ARGOCD, "ApplicationSet")
    for application in (named(ARGOCD, "Application", "models"), per_team["spec"]["template"]):
        assert annotation(application, "argocd.argoproj.io/compare-options") == "ServerSideDiff=false"


def test_a_commit_that_mends_a_failed_sync_does_not_wait_for_the_retries_of_the_old_one() -> None:
    assert [name for name, spec in argo_specs().items() if spec["syncPolicy"]["retry"].get("refresh") is not True] == []


def test_the_application_of_applications_has_the_operator_and_the_models() -> None:
    source = argo_specs()["fireworks"]["source"]
    names = source["directory"]["include"].removeprefix("{").removesuffix("}.yaml").split(",")
    found = [yaml.safe_load((ROOT / source["path"] / f"{name}.yaml").read_text()) for name in names]
    assert [each["metadata"]["name"] for each in found] == ["fireworks-operator", "models"]


def test_the_examples_install_the_operator_in_this_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    (repository,) = of_kind(FLUX, "OCIRepository")
    source = argo_specs()["fireworks-operator"]["source"]
    assert chart["version"] == repository["spec"]["ref"]["tag"] == source["targetRevision"] == VERSION
    assert repository["spec"]["ref"].keys() == {"tag"}
    for url in (repository["spec"]["url"], source["repoURL"]):
        assert url.startswith("oci://")
        assert url.endswith(f"/charts/{chart['name']}")
    assert source["path"] == "."


def test_only_the_users_own_repository_is_followed_by_branch() -> None:
    followed = {each["spec"]["url"] for each in of_kind(FLUX, "GitRepository")}
    followed |= {
        spec["source"]["repoURL"] for spec in argo_specs().values() if spec["source"]["targetRevision"] == "main"
    }
    assert followed == {"https://git.example.com/platform/fleet.git"}


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


def _over(default: object, value: object) -> object:
    """Return a value of the chart with what is given in its place; maps are merged."""
    if not isinstance(default, dict) or not isinstance(value, dict):
        return value
    return {**default, **{name: _over(default.get(name), each) for name, each in value.items()}}


def test_the_chart_accepts_the_values_that_gitops_tools_give_it() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    (release,), (repository,) = of_kind(FLUX, "HelmRelease"), of_kind(FLUX, "OCIRepository")
    operator = argo_specs()["fireworks-operator"]
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    for values in (release["spec"]["values"], operator["source"]["helm"]["valuesObject"]):
        # As Helm does: what the chart says, and over it what is given.
        given = {**defaults, **{name: _over(defaults[name], value) for name, value in values.items()}}
        assert list(validator_for(schema)(schema).iter_errors(given)) == []
    assert release["metadata"]["namespace"] == repository["metadata"]["namespace"]
    assert release["spec"]["chartRef"] == {"kind": "OCIRepository", "name": repository["metadata"]["name"]}


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
        "Force=true",
        "ServerSideApply=true",
        "ServerSideDiff=false",
        "retry.refresh: true",
        "terminate-op",
    ):
        assert word in page

"""The manifests in examples/ are what users copy: they must be accepted as they are, and explain themselves."""

from pathlib import Path

import pytest
import yaml

from testkit.kubernetes import Cluster, GivenCluster
from testkit.kubernetes.definitions import apply_crds

EXAMPLES = Path(__file__).parents[2] / "examples"
MANIFESTS = sorted(EXAMPLES.glob("*.yaml"))
each_manifest = pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def server(cluster: Cluster | GivenCluster, crds: Path) -> Cluster | GivenCluster:
    """The API server, knowing the resource."""
    apply_crds(cluster, crds)
    return cluster


def test_there_are_examples_of_each_subject() -> None:
    subjects = {
        "addons",
        "budget",
        "connection",
        "draft-model",
        "fallbacks",
        "fp8-h100",
        "minimal",
        "plain",
        "router",
        "scale-windows",
        "schedule",
    }
    assert {path.stem for path in MANIFESTS} == subjects


@each_manifest
def test_the_api_server_accepts_the_manifest_without_a_warning(server: Cluster | GivenCluster, manifest: Path) -> None:
    done = server.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(manifest))
    assert done.stdout.endswith("(server dry run)\n")
    assert done.stderr == ""


@each_manifest
def test_the_manifest_begins_with_its_subject_and_the_command_that_applies_it(manifest: Path) -> None:
    lines = manifest.read_text().splitlines()
    header = lines[: next(number for number, line in enumerate(lines) if not line.startswith("#"))]
    assert len(header[0]) > len("# a sentence")
    assert f"#   kubectl apply -f examples/{manifest.name}" in header
    assert max(map(len, lines)) <= 120


@each_manifest
def test_the_header_speaks_of_the_resource_that_the_manifest_defines(manifest: Path) -> None:
    resource = yaml.safe_load(manifest.read_text())
    assert f"{resource['kind'].lower()} {resource['metadata']['name']} " in manifest.read_text()


def test_the_minimal_manifest_is_a_model_and_nothing_else() -> None:
    assert list(yaml.safe_load((EXAMPLES / "minimal.yaml").read_text())["spec"]) == ["baseModel"]


def test_no_two_manifests_share_a_name_or_a_model() -> None:
    """All of them can be applied at once, and Fireworks does not hold back a model's default deployment on deletion."""
    resources = [yaml.safe_load(path.read_text()) for path in MANIFESTS]
    assert len({each["metadata"]["name"] for each in resources}) == len(resources)
    models = [each["spec"]["baseModel"] for each in resources if each["kind"] == "FireworksDeployment"]
    assert len(set(models)) == len(models)

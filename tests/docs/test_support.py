"""docs/support.md promises the versions that CI really tests."""

import re

import yaml

from testkit.documentation.pages import DOCS, ROOT

ROWS = {
    row[0]: row[1:]
    for row in re.findall(r"^\| ([^|]+?) \| ([^|]+?) \| ([^|]+?) \|$", (DOCS / "support.md").read_text(), re.MULTILINE)
}
CI = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]


def versions(text: str) -> list[str]:
    return re.findall(r"\d+\.\d+(?:\.\d+)?", text)


def test_versions_of_kubernetes() -> None:
    in_kind = [each["version"] for each in CI["kind"]["strategy"]["matrix"]["kubernetes"]]
    alone = re.search(r"k8s\.io/kubernetes v(\d+\.\d+)", (ROOT / "testkit/kubernetes/go.mod").read_text())
    assert alone is not None
    supported, tested = ROWS["Kubernetes"]
    assert versions(tested) == [*in_kind, alone[1]]
    assert versions(supported) == [min(in_kind)]


def test_versions_of_helm() -> None:
    used = re.findall(r"helm\.sh/helm/v\d/cmd/helm@v([\d.]+)", (ROOT / "testkit/chart/binaries.py").read_text())
    supported, tested = ROWS["Helm"]
    assert versions(tested) == used
    assert versions(supported) == [min(used).rpartition(".")[0]]


def test_versions_of_python() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    (row,) = (row for name, row in ROWS.items() if name.startswith("Python"))
    supported, tested = row
    assert versions(tested) == CI["test"]["strategy"]["matrix"]["python"]
    assert f'requires-python = ">={versions(supported)[0]}"' in project


def test_architectures_of_the_images() -> None:
    supported, _ = ROWS["container images"]
    assert f"platforms: {supported.replace(', ', ',')}" in (ROOT / ".github/workflows/release.yml").read_text()

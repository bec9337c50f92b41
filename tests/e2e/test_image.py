"""What is in the images, and what is not."""

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from release.plan import SOURCE_PLACEHOLDER, make_plan
from tests.e2e.image import TARGETS, image_config, problem

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(params=TARGETS)
def archive(request: pytest.FixtureRequest, archives: dict[str, Path]) -> Path:
    """Each image."""
    return archives[request.param]


def test_it_runs_as_nobody_in_particular(archive: Path) -> None:
    config = image_config(archive)[1]["config"]
    assert config["User"] == "65532:65532", "a number, so that Kubernetes can tell that it is not root"
    assert config["Entrypoint"] == [f"fireworks-{archive.stem}"]


def test_it_says_what_it_is(archive: Path) -> None:
    labels = {
        name: value for name, value in image_config(archive)[1]["config"]["Labels"].items() if "opencontainers" in name
    }
    plan = make_plan("localhost", SOURCE_PLACEHOLDER)
    given = bool(os.environ.get("FIREWORKS_TEST_KUBECONFIG"))  # whose images are not those of a release
    expected = {
        "title": f"fireworks-{archive.stem}",
        "licenses": "Apache-2.0",
        "version": "dev" if given else plan.version,
        "revision": plan.revision,
        "created": "1970-01-01T00:00:00Z" if given else plan.created,
        "source": "unknown" if given else plan.source,
    }
    said = {name.removeprefix("org.opencontainers.image."): value for name, value in labels.items()}
    assert len(said.pop("description")) > 20
    assert said == expected


def test_it_holds_nothing_to_build_or_install_with(archive: Path) -> None:
    programs = {Path(name).name for name in content(archive) if Path(name).parent.name == "bin"}
    assert f"fireworks-{archive.stem}" in programs
    assert programs.isdisjoint({"cc", "gcc", "g++", "make", "git", "hatchling", "pytest"})
    packages = {Path(name).name for name in content(archive) if "/opt/fireworks/lib/" in f"/{name}"}
    assert packages.isdisjoint({"pip", "setuptools", "pytest", "mypy"})


def test_it_holds_the_bytecode_of_what_it_runs(archive: Path) -> None:
    """On a read-only filesystem, what lacks it is compiled anew at each start."""
    names = content(archive)
    package = archive.stem.replace("operator", "fireworks_operator").replace("simulator", "fireworks_simulator")
    assert any(f"/{package}/__pycache__/cli.cpython-" in name for name in names)
    assert any("/asyncio/__pycache__/tasks.cpython-" in name for name in names)


@pytest.mark.parametrize(
    ("programs", "user", "sentence"),
    [
        ((), 0, "there is no Docker; without it: apt-get install buildah mmdebstrap"),
        (("buildah",), 0, "there is no Docker; without it: apt-get install mmdebstrap"),
        (("buildah", "mmdebstrap"), 1000, "without Docker, building an image needs root"),
        (("buildah", "mmdebstrap"), 0, "None"),
    ],
)
def test_a_machine_that_cannot_build_is_told_why(
    programs: tuple[str, ...], user: int, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for program in programs:
        (tmp_path / program).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: user)
    assert str(problem()) == sentence


def content(archive: Path) -> set[str]:
    """Return the names of all files of an image."""
    with tarfile.open(archive) as files:
        manifest = files.extractfile("manifest.json")
        assert manifest is not None
        names: set[str] = set()
        for layer in json.load(manifest)[0]["Layers"]:
            found = files.extractfile(layer)
            assert found is not None
            with tarfile.open(fileobj=io.BytesIO(found.read())) as inner:
                names.update(inner.getnames())
    return names

"""What the release workflow pushes is what the released chart, manifests and examples ask for."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from release import assets, check
from release.chart import package
from release.errors import ReleaseError
from release.plan import ROOT, Plan, make_plan, project_version
from testkit.chart.binaries import find_helm
from testkit.chart.helm import Helm
from testkit.chart.rendered import Manifests

REGISTRY, SERVER, REPOSITORY = "registry.test/platform", "https://github.test", "acme/fireworks-operator"
DIGESTS = {"operator": f"sha256:{'a' * 64}", "simulator": f"sha256:{'b' * 64}"}
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
Json = dict[str, Any]


def jobs_step(job: str, name: str) -> Json:
    """Return a step of a job, by its id or by the action that it uses."""
    steps: list[Json] = WORKFLOW["jobs"][job]["steps"]
    (found,) = (step for step in steps if step.get("id") == name or step.get("uses", "").startswith(f"{name}@"))
    return found


def run_step(script: str, folder: Path, **variables: str) -> dict[str, str]:
    """Run the commands of a step with what GitHub sets, and return the outputs that they write."""
    outputs = folder / "outputs"
    outputs.touch()
    environment = {
        "PATH": f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "GITHUB_SERVER_URL": SERVER,
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_OUTPUT": str(outputs),
        "REGISTRY": REGISTRY,
        "ASSETS": str(folder / "assets"),
        **{name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))},
        **variables,
    }
    subprocess.run(["bash", "-e", "-c", script], cwd=ROOT, env=environment, check=True)
    return parsed(outputs.read_text())


def parsed(text: str) -> dict[str, str]:
    """Return what `$GITHUB_OUTPUT` holds: lines `name=value`, and `name<<END` with lines up to `END`."""
    blocks = re.compile(r"^([\w-]+)<<END\n(.*?)\nEND$", re.DOTALL | re.MULTILINE)
    lines = re.findall(r"^([\w-]+)=(.*)$", blocks.sub("", text), re.MULTILINE)
    return {**dict(lines), **dict(blocks.findall(text))}


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the workflow pushes: the names of both images, as it works them out."""
    names = {}
    for target in WORKFLOW["jobs"]["images"]["strategy"]["matrix"]["target"]:
        folder = tmp_path_factory.mktemp(target)
        outputs = run_step(jobs_step("images", "plan")["run"], folder, TARGET=target)
        given = jobs_step("images", "docker/build-push-action")["with"]
        names[target] = expand(given["tags"], outputs)
    return names


def expand(text: str, outputs: dict[str, str]) -> str:
    """Put the outputs of the step `plan` into an expression of the workflow."""
    return re.sub(r"\$\{\{ steps\.plan\.outputs\.([\w-]+) \}\}", lambda found: outputs[found[1]], text)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a release, made by the step of the workflow; the program in the plugin's archive is none."""
    folder = tmp_path_factory.mktemp("release")
    (folder / "helm").symlink_to(find_helm(4))
    (folder / "assets").mkdir()
    for target, digest in DIGESTS.items():
        assets.note_digest(folder / "assets", target, digest)
    for name in ("linux-amd64", "darwin-arm64"):
        (folder / f"assets/kubectl-fireworks-{name}.tar.gz").write_bytes(name.encode())
    script = jobs_step("publish", "chart")["run"].splitlines()
    assert script[0] == "python -m release assets"
    run_step(script[0], folder)
    return folder / "assets"


@pytest.fixture(params=[3, 4], ids=["Helm 3", "Helm 4"])
def helm(request: pytest.FixtureRequest, tmp_path: Path) -> Helm:
    """Helm, without a cluster."""
    return Helm(find_helm(request.param), request.param, tmp_path / "helm")


def archive_of(released: Path) -> str:
    (found,) = released.glob("fireworks-operator-*.tgz")
    return str(found)


def image_of(helm: Helm, released: Path, *arguments: str) -> str:
    """Return the image that the packed chart asks for."""
    text = helm.run("template", "r", archive_of(released), "--kube-version", "1.37.0", *arguments)
    return str(Manifests.parse(text).container["image"])


def test_the_released_chart_asks_for_the_image_that_is_pushed(
    helm: Helm, released: Path, pushed: dict[str, str]
) -> None:
    assert image_of(helm, released) == f"{pushed['operator']}@{DIGESTS['operator']}"


def test_the_plain_manifests_ask_for_the_image_that_is_pushed(released: Path, pushed: dict[str, str]) -> None:
    manifests = Manifests.parse((released / "install.yaml").read_text())
    assert manifests.container["image"] == f"{pushed['operator']}@{DIGESTS['operator']}"
    assert manifests.the("Namespace")["metadata"]["name"] == "fireworks-system"


def test_the_list_of_images_is_what_is_pushed(released: Path, pushed: dict[str, str]) -> None:
    lines = (released / "images.txt").read_text().splitlines()
    assert lines == [f"{pushed[target]}@{DIGESTS[target]}" for target in ("operator", "simulator")]


@pytest.mark.parametrize(
    ("arguments", "image", "reason"),
    [
        (("--set", "image.tag=next"), f"{REGISTRY}/fireworks-operator:next", "another tag has another digest"),
        (
            ("--set", "image.repository=mirror.test/operator"),
            "mirror.test/operator:VERSION",
            "a copy of one platform alone has another digest",
        ),
        (
            ("--set", f"image.digest=sha256:{'c' * 64}"),
            f"{REGISTRY}/fireworks-operator@sha256:{'c' * 64}",
            "whoever names a digest wants that one",
        ),
    ],
)
def test_whoever_names_another_image_gets_it_without_the_digest_of_the_release(
    arguments: tuple[str, ...], image: str, reason: str, helm: Helm, released: Path
) -> None:
    version = project_version()
    assert image_of(helm, released, *arguments) == image.replace("VERSION", version), reason


def test_the_digest_is_no_value_and_so_does_not_survive_an_upgrade_with_reuse_values(
    helm: Helm, released: Path
) -> None:
    values = yaml.safe_load(helm.run("show", "values", archive_of(released)))["image"]
    assert (values["tag"], values["digest"]) == ("", "")


def test_the_chart_of_the_repository_names_no_registry(helm: Helm) -> None:
    assert helm.template().container["image"] == f"fireworks-operator:{project_version()}"


def test_the_released_chart_says_where_it_comes_from(helm: Helm, released: Path) -> None:
    chart = yaml.safe_load(helm.run("show", "chart", archive_of(released)))
    assert chart["home"] == f"{SERVER}/{REPOSITORY}"
    assert chart["sources"] == [f"{SERVER}/{REPOSITORY}"]
    assert chart["maintainers"]
    (image,) = yaml.safe_load(chart["annotations"]["artifacthub.io/images"])
    assert image["image"].startswith(f"{REGISTRY}/fireworks-operator:")
    assert yaml.safe_load(chart["annotations"]["artifacthub.io/changes"])
    with tarfile.open(archive_of(released)) as files:
        readme = files.extractfile("fireworks-operator/README.md")
        assert readme is not None
        assert "example.com" not in readme.read().decode()


def test_krew_gets_an_archive_for_each_platform_with_its_checksum(released: Path) -> None:
    manifest = yaml.safe_load((released / "krew.yaml").read_text())
    version = project_version()
    assert manifest["spec"]["version"] == f"v{version}"
    platforms = {each["selector"]["matchLabels"]["os"]: each for each in manifest["spec"]["platforms"]}
    assert set(platforms) == {"linux", "darwin"}
    for each in platforms.values():
        prefix = f"{SERVER}/{REPOSITORY}/releases/download/v{version}/"
        assert each["uri"].startswith(prefix)
        content = (released / each["uri"].removeprefix(prefix)).read_bytes()
        assert each["sha256"] == hashlib.sha256(content).hexdigest()


def test_every_file_has_a_checksum(released: Path) -> None:
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=released, capture_output=True, text=True, check=True
    )
    names = {line.partition(":")[0] for line in done.stdout.splitlines()}
    assert names == {path.name for path in released.iterdir()} - {"SHA256SUMS"}
    kinds = {
        "install.yaml",
        "crds.yaml",
        "krew.yaml",
        "images.txt",
        f"fireworks-operator-{project_version()}.tgz",
    }
    assert kinds < names
    assert [name for name in names if name.endswith(".whl")] == [
        f"fireworks_operator-{project_version()}-py3-none-any.whl"
    ]


def test_the_image_is_labelled_with_what_the_workflow_gives_it(tmp_path: Path) -> None:
    outputs = run_step(jobs_step("images", "plan")["run"], tmp_path, TARGET="operator")
    given = expand(jobs_step("images", "docker/build-push-action")["with"]["build-args"], outputs)
    arguments = dict(line.split("=", 1) for line in given.splitlines())
    dockerfile = (ROOT / "Dockerfile").read_text()
    labels = dict(re.findall(r"org\.opencontainers\.image\.(\w+)=\$\{(\w+)\}", dockerfile))
    assert set(labels.values()) == set(arguments)
    values = {label: arguments[name] for label, name in labels.items()}
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert values.pop("revision") == head.stdout.strip()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", values.pop("created"))
    assert values == {"version": project_version(), "source": f"{SERVER}/{REPOSITORY}"}


def test_the_notes_lead_to_pages_of_that_release(tmp_path: Path) -> None:
    plan = Plan(project_version(), REGISTRY, f"{SERVER}/{REPOSITORY}", "0" * 40, "2026-01-01T00:00:00Z")
    text = assets.notes(plan)
    assert f"helm install fireworks-operator oci://{REGISTRY}/charts/fireworks-operator --version" in text
    relative = re.findall(r"\]\((?!https?://|#)[^)]*\)", text)
    assert relative == []


def test_every_example_asks_for_the_version_that_would_be_released() -> None:
    assert list(check.other_versions(project_version())) == []


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("docs/a.md", "docker pull fireworks-operator:9.9.9", "docs/a.md:1: asks for version 9.9.9 of the image"),
        ("deploy/a.yaml", "images:\n  - newTag: 9.9.9\n", "deploy/a.yaml:2: asks for version 9.9.9 of the image"),
        ("README.md", "x/fireworks-simulator:v0.1.0", ""),
        ("README.md", "x/fireworks-simulator:dev", ""),
    ],
)
def test_an_example_with_another_version_is_found(
    file: str, text: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "README.md").touch()
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    monkeypatch.setattr(check, "ROOT", tmp_path)
    assert list(check.other_versions("0.1.0")) == ([sentence] if sentence else [])


def test_a_tag_that_is_not_the_version_is_refused() -> None:
    (first, *_) = check.disagreements("v9.9.9")
    assert first.startswith("the tag is v9.9.9; pyproject.toml says ")


@pytest.mark.parametrize("registry", ["", "GHCR.io/Acme", "https://ghcr.io/acme", "ghcr.io/acme/", "ghcr.io acme"])
def test_what_is_no_registry_is_refused_before_anything_is_built(registry: str) -> None:
    with pytest.raises(ReleaseError, match="must be a host and a path in lower case"):
        make_plan(registry, SERVER)


def test_a_chart_is_not_released_without_the_digest_of_its_image(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="'latest' is not the digest of an image"):
        package(make_plan(REGISTRY, SERVER), "latest", tmp_path)


def test_the_secret_of_the_registry_is_in_an_environment() -> None:
    for name, job in WORKFLOW["jobs"].items():
        if "secrets." in json.dumps(job):
            assert job["environment"] == "release", name


def test_nothing_is_published_before_the_check_has_passed() -> None:
    needs = {name: job.get("needs", []) for name, job in WORKFLOW["jobs"].items()}
    assert needs == {"check": [], "images": "check", "plugin": "check", "publish": ["images", "plugin"]}
    assert 'python -m release check "$GITHUB_REF_NAME"' in [
        step.get("run") for step in WORKFLOW["jobs"]["check"]["steps"]
    ]

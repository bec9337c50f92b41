"""A release made on this machine, with the commands of the release workflow, into a registry of its own.

    python -m tests.e2e.rehearsal [FOLDER]     default: dist/release-dry-run
    python -m tests.e2e.rehearsal --check      only say what this machine lacks

It goes from the two images to files that are signed and verified; the folder then holds all files of the release, the
registry's content (`registry`) and the key that has signed (`cosign.pub`). What it does without is the workflow's own
identity: a key signs instead, and nothing is recorded in a public log.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.request import urlopen

from release.check import disagreements
from release.errors import ReleaseError, run
from release.plan import ROOT, SOURCE_PLACEHOLDER, TARGETS, Plan, make_plan
from testkit.chart.binaries import find_helm
from testkit.documentation.script import Script
from testkit.documentation.terminal import Terminal
from testkit.kubernetes import ClusterError
from testkit.kubernetes.parts import free_ports
from testkit.kubernetes.progress import Progress
from testkit.tools import TOOLS, find_tool
from testkit.waiting import eventually
from tests.e2e import image

PATH = "fireworks"
PAGE = "docs/verify.md"
_KEYLESS = '--certificate-identity "$IDENTITY" --certificate-oidc-issuer "$ISSUER"'
_FOLDERS_OF_HELM = ("CACHE", "CONFIG", "DATA")
_PACKAGES = {"jq": "jq", "objdump": "binutils"}
"""What the page runs, and what PyInstaller runs on Linux: which Debian package has each program."""


def problem() -> str | None:
    """Return why no release can be made on this machine and what to do about it, or None if one can."""
    missing = sorted(package for program, package in _PACKAGES.items() if shutil.which(program) is None)
    lacking = f"a release needs more programs: apt-get install {' '.join(missing)}" if missing else None
    return "; ".join(filter(None, (image.problem(), lacking))) or None


def build_images(progress: Progress) -> dict[str, Path]:
    """Build both images as the workflow does, and return their archives by target."""
    labels = make_plan("localhost", SOURCE_PLACEHOLDER).build_arguments()
    return {target: image.build(target, progress, labels) for target in TARGETS}


@contextmanager
def registry(folder: Path, address: str, programs: Path) -> Iterator[str]:
    """Run a registry on a free port of an address, and yield `address:port`.

    Args:
        folder: Where it keeps what is pushed.
        address: An address of this machine.
        programs: Folder with `crane`, which can serve as one.
    """
    (port,) = free_ports(1)
    host = f"{address}:{port}"
    folder.mkdir()
    command = [str(programs / "crane"), "registry", "serve", f"--address={host}", f"--disk={folder}"]
    with (folder.parent / "registry.log").open("w") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        eventually(lambda: _answers(host), "the registry answers", within=30)
        yield host
    finally:
        process.terminate()
        process.wait(30)


def _answers(host: str) -> bool:
    try:
        with urlopen(f"http://{host}/v2/", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def link_programs(folder: Path) -> Path:
    """Make a folder with the programs that a release is made and verified with."""
    folder.mkdir()
    for name in TOOLS:
        (folder / name).symlink_to(find_tool(name))
    (folder / "helm").symlink_to(find_helm(4))
    return folder


@dataclass(frozen=True)
class Rehearsal:
    """A release, made here.

    Attributes:
        folder: All that belongs to it; its programs are in it already.
        host: The registry, `address:port`.
        progress: Where it says how far it is.
    """

    folder: Path
    host: str
    progress: Progress

    @property
    def assets(self) -> Path:
        """Folder of the files of the release."""
        return self.folder / "assets"

    @property
    def programs(self) -> Path:
        """Folder of the programs that it is made with."""
        return self.folder / "programs"

    @cached_property
    def plan(self) -> Plan:
        """Names and addresses."""
        return make_plan(f"{self.host}/{PATH}", SOURCE_PLACEHOLDER)

    @property
    def images(self) -> dict[str, str]:
        """The images with tag and digest, by target."""
        return dict(zip(TARGETS, (self.assets / "images.txt").read_text().split(), strict=True))

    @cached_property
    def environment(self) -> dict[str, str]:
        """What the commands run with: nothing of the user's own registries and Helm repositories."""
        homes = {f"HELM_{name}_HOME": str(self.folder / "helm" / name.lower()) for name in _FOLDERS_OF_HELM}
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "HELM_", "COSIGN_"))
        }
        return {
            **kept,
            **homes,
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "DOCKER_CONFIG": str(self.folder / "docker"),
            "NO_PROXY": ",".join(filter(None, (os.environ.get("NO_PROXY"), self.host.rpartition(":")[0]))),
            "REGISTRY": self.plan.registry,
            "REGISTRY_HTTP": "1",
            "SOURCE": self.plan.source,
            "ASSETS": str(self.assets),
            "COSIGN_KEY": str(self.folder / "cosign.key"),
            "COSIGN_PASSWORD": "",
        }

    def make(self, archives: Mapping[str, Path]) -> None:
        """Push, describe and sign the images; make all files; push and sign the chart.

        Args:
            archives: The images by target, as `docker save` writes them.
        """
        self.assets.mkdir()
        prefix = str(self.folder / "cosign")
        run(["cosign", "generate-key-pair", f"--output-key-prefix={prefix}"], environment=self.environment)
        for target, archive in archives.items():
            self.progress.say(f"pushing, describing and signing {self.plan.image(target)}")
            pushed = run(["crane", "push", str(archive), self.plan.image(target)], environment=self.environment)
            self._release("publish-image", target, pushed.stdout.strip().rpartition("@")[2])
        self.progress.say("building kubectl-fireworks")
        self._release("plugin")
        self.progress.say("chart, manifests, wheel, krew manifest, checksums")
        self._release("assets")
        self._release("publish-chart")
        (self.folder / "notes.md").write_text(self._release("notes"))

    def follow(self, page: str, state: Path) -> Script:
        """Open a page, to run its commands about this release; `state` is a new folder for the terminal."""
        variables = {name: self.environment[name] for name in ("DOCKER_CONFIG", "NO_PROXY", *_helm_homes())}
        terminal = Terminal(state, self.assets, [self.programs], variables)
        table = {
            "registry.example.com": self.plan.registry,
            "VERSION=0.1.0": f"VERSION={self.plan.version}",
            _KEYLESS: f"--key {self.folder / 'cosign.pub'} --insecure-ignore-tlog=true",
            "helm show chart oci": "helm show chart --plain-http oci",
        }
        return Script(page, terminal, table, elsewhere="make e2e")

    def _release(self, *arguments: str) -> str:
        """Run a step of the release, as the workflow does."""
        return run([sys.executable, "-m", "release", *arguments], folder=ROOT, environment=self.environment).stdout


def _helm_homes() -> list[str]:
    return [f"HELM_{name}_HOME" for name in _FOLDERS_OF_HELM]


def verify(page: Script, rehearsal: Rehearsal) -> None:
    """Run the commands of docs/verify.md, and check what they print."""
    page.run("REGISTRY=")
    assert "The signatures were verified" in page.run("cosign verify")
    assert "The signatures were verified" in page.run("cosign verify")
    assert rehearsal.images["operator"] in page.run("helm show chart")
    page.run("cosign verify-attestation")
    sbom = rehearsal.assets / "sbom.json"
    assert {"kopf", "pydantic"} <= {package["name"] for package in json.loads(sbom.read_text())["packages"]}
    sbom.unlink()
    assert "Verified OK" in page.run("cosign verify-blob")
    names = [path.name for path in rehearsal.assets.iterdir() if not path.name.startswith("SHA256SUMS")]
    checked = page.run("sha256sum --check")
    assert all(f"{name}: OK" in checked for name in names), checked


def main() -> int:
    """Run the command and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default=ROOT / "dist/release-dry-run", type=Path)
    parser.add_argument("--check", action="store_true", help="only say what this machine lacks")
    arguments = parser.parse_args()
    trouble = problem()  # before anything that takes minutes
    if trouble is not None:
        print(f"release: {trouble}", file=sys.stderr)
        return 1
    return 0 if arguments.check else _rehearse(arguments.folder.absolute(), Progress())


def _rehearse(folder: Path, progress: Progress) -> int:
    try:
        for each in disagreements():
            progress.say(f"a real release would be refused: {each}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        programs = link_programs(folder / "programs")
        archives = build_images(progress)
        with registry(folder / "registry", "127.0.0.1", programs) as host, tempfile.TemporaryDirectory() as state:
            rehearsal = Rehearsal(folder, host, progress)
            rehearsal.make(archives)
            progress.say(f"verifying, as {PAGE} says")
            with rehearsal.follow(PAGE, Path(state) / "terminal") as page:
                verify(page, rehearsal)
    except (ClusterError, ReleaseError) as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    progress.say(f"{rehearsal.plan.tag} is made, signed and verified; its files are in {rehearsal.assets}:")
    print(*sorted(path.name for path in rehearsal.assets.iterdir()), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

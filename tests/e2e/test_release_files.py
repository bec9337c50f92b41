"""The files of a release: verified as docs/verify.md says, and used."""

import hashlib
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

from tests.e2e.rehearsal import Rehearsal, problem, verify
from tests.e2e.release import Release
from tests.e2e.world import EXAMPLE, KIND, NAME, SYSTEM, TEAM, World

pytestmark = pytest.mark.timeout(1800)


@pytest.mark.parametrize(
    ("programs", "sentence"),
    [
        (("jq", "objdump"), "there is no Docker; without it: apt-get install buildah mmdebstrap"),
        (("buildah", "mmdebstrap"), "a release needs more programs: apt-get install binutils jq"),
        (("buildah", "mmdebstrap", "jq", "objdump"), "None"),
        (
            ("buildah", "jq"),
            "there is no Docker; without it: apt-get install mmdebstrap; "
            "a release needs more programs: apt-get install binutils",
        ),
    ],
)
def test_a_machine_that_cannot_make_a_release_is_told_before_anything_is_built(
    programs: tuple[str, ...], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for program in programs:
        (tmp_path / program).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert str(problem()) == sentence


def test_a_release_is_verified_as_the_page_says(released: Rehearsal, tmp_path: Path) -> None:
    with released.follow("docs/verify.md", tmp_path / "terminal") as page:
        verify(page, released)


def test_what_was_changed_after_signing_is_refused(released: Rehearsal, tmp_path: Path) -> None:
    key = ("--key", str(released.folder / "cosign.pub"), "--insecure-ignore-tlog=true")
    sums, bundle = released.assets / "SHA256SUMS", released.assets / "SHA256SUMS.bundle"
    forged = tmp_path / "SHA256SUMS"
    forged.write_text(sums.read_text().replace("install.yaml", "install.yml"))
    unsigned = f"{released.plan.registry}/unsigned:1"
    subprocess.run(["crane", "copy", released.images["operator"], unsigned], env=released.environment, check=True)
    for command in (["verify-blob", *key, "--bundle", str(bundle), str(forged)], ["verify", *key, unsigned]):
        done = subprocess.run(
            ["cosign", *command], env=released.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode != 0, command


def test_krew_finds_the_plugin_by_its_checksum_and_it_lists_resources(
    released: Rehearsal, release: Release, world: World, tmp_path: Path
) -> None:
    manifest = yaml.safe_load((released.assets / "krew.yaml").read_text())
    (only,) = manifest["spec"]["platforms"]
    archive = released.assets / only["uri"].rpartition("/")[2]
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == only["sha256"]
    store = tmp_path / "store"
    with tarfile.open(archive) as files:
        files.extractall(store, filter="data")
    # As krew does: what kubectl finds is a link to it. No Python of this machine may help.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/kubectl-fireworks").symlink_to(store / only["bin"])
    kubectl = world.cluster.kubectl_program()
    environment = {"PATH": str(tmp_path / "bin"), "KUBECONFIG": str(kubectl.kubeconfig), "HOME": str(tmp_path)}
    command = [str(kubectl.program), "fireworks", "list", "--namespace", TEAM]
    world.kubectl("apply", "-n", TEAM, "-f", str(EXAMPLE))
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert NAME in done.stdout
        print(done.stdout)
    finally:
        world.kubectl("delete", KIND, NAME, "-n", TEAM, "--timeout=120s")


def test_the_plain_manifests_run_the_released_image(released: Rehearsal, release: Release, world: World) -> None:
    """Comes last: the chart's release ends here."""
    release.uninstall()
    manifests = str(released.assets / "install.yaml")
    # The CRD stays when the chart goes, and belongs to Helm until then.
    world.kubectl("apply", "--server-side", "--force-conflicts", "-f", manifests)
    world.kubectl("rollout", "status", "deployment/fireworks-operator", "-n", SYSTEM, "--timeout=120s")
    pods = world.get("pods", "-n", SYSTEM, "-l", "app.kubernetes.io/instance=fireworks-operator")["items"]
    assert len(pods) == 2
    for pod in pods:
        (status,) = pod["status"]["containerStatuses"]
        assert world.runs("operator", status)
    world.kubectl("delete", "-f", manifests, "--wait=false")

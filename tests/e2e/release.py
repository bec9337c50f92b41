"""The operator as an administrator has it: a release of the chart."""

import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from testkit.chart.helm import CHART, ROOT, Helm
from tests.e2e.image import TAG
from tests.e2e.rehearsal import Rehearsal
from tests.e2e.world import SECRET, SYSTEM, World

RELEASE = "fireworks"
DEPLOYMENT = "fireworks-fireworks-operator"
PODS = "app.kubernetes.io/instance=fireworks"
_WAIT = ("--wait", "--timeout=3m")


def previous_chart(folder: Path) -> Path | None:
    """Return the chart as it was last released, unpacked into the folder; None where no release is known."""
    described = ["git", "-C", str(ROOT), "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*"]
    tag = subprocess.run(described, capture_output=True, text=True, check=False).stdout.strip()
    if not tag:
        return None
    name = CHART.relative_to(ROOT)
    packed = ["git", "-C", str(ROOT), "archive", tag, str(name)]
    archive = subprocess.run(packed, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    print(f"the previous chart is that of {tag}")
    return folder / name


class Release:
    """The release.

    Args:
        helm: Helm, with the cluster.
        world: What is around it.
        rehearsal: The release that it is installed from; None: from the repository, with images that are there.
    """

    def __init__(self, helm: Helm, world: World, rehearsal: Rehearsal | None) -> None:
        self._helm = helm
        self._world = world
        self._rehearsal = rehearsal

    def install(self, previous: Path | None = None) -> None:
        """Install it, or a chart of an earlier version with the image of now, and wait until its pods are ready."""
        chart = self._chart() if previous is None else (str(previous),)
        values = {**self._values(), **(self._image_of_now() if previous else {})}
        self._helm.run("install", RELEASE, *chart, "--namespace", SYSTEM, *_WAIT, values=values)

    def upgrade(self, **settings: object) -> None:
        """Change settings, and wait until its pods are ready."""
        values = self._values(**settings)
        self._helm.run("upgrade", RELEASE, *self._chart(), "--namespace", SYSTEM, *_WAIT, values=values)

    def rollback(self) -> None:
        """Go back to the revision before, and wait until its pods are ready."""
        self._helm.run("rollback", RELEASE, "--namespace", SYSTEM, *_WAIT)

    def uninstall(self) -> None:
        """Remove it."""
        self._helm.run("uninstall", RELEASE, "--namespace", SYSTEM, *_WAIT)

    def pods(self) -> list[dict[str, Any]]:
        """Return its pods, but those that are on their way out."""
        found = self._world.get("pods", "-n", SYSTEM, "-l", PODS)["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def leader(self) -> str:
        """Return the name of the pod that acts."""
        holder: str = self._world.get("lease", DEPLOYMENT, "-n", SYSTEM)["spec"].get("holderIdentity") or ""
        return next((pod["metadata"]["name"] for pod in self.pods() if holder.startswith(pod["metadata"]["name"])), "")

    def log_level(self) -> str:
        """Return the log level that its pods have been started with."""
        container = self._world.get("deployment", DEPLOYMENT, "-n", SYSTEM)["spec"]["template"]["spec"]["containers"][0]
        values = {each["name"]: each.get("value") for each in container["env"]}
        return str(values["FIREWORKS_OPERATOR_LOG_LEVEL"])

    def _chart(self) -> tuple[str, ...]:
        if self._rehearsal is None:
            return (str(CHART),)
        plan = self._rehearsal.plan
        return (f"oci://{plan.chart}", "--version", plan.version, "--plain-http")

    def _image_of_now(self) -> dict[str, object]:
        if self._rehearsal is None:
            return {"image": {"repository": "fireworks-operator", "tag": TAG, "pullPolicy": "Never"}}
        plan = self._rehearsal.plan
        return {"image": {"repository": plan.repository("operator"), "tag": plan.version}}

    def _values(self, **settings: object) -> dict[str, object]:
        return {
            # The chart of a release names its image itself.
            **(self._image_of_now() if self._rehearsal is None else {}),
            "credentials": {"existingSecret": SECRET},
            "settings": {"baseUrl": self._world.simulator_address(), "allowHttp": True, **settings},
        }

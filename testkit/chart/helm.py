"""Helm as these tests use it, with nothing of the user's own settings, repositories or cluster."""

import functools
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from testkit.chart.rendered import Manifests
from testkit.kubernetes.access import FRUGAL

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts/fireworks-operator"
NAMESPACE = "fireworks-system"
RELEASE = "fireworks"
KUBERNETES = "1.37.0"
"""Version that is rendered for; only the lowest supported one matters beside it."""

Values = Mapping[str, Any]


class HelmError(Exception):
    """Helm refused; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Helm:
    """One version of Helm.

    Attributes:
        program: Path of `helm`.
        major: 3 or 4.
        home: Folder for all that it keeps.
        kubeconfig: Which cluster; None: none can be reached.
    """

    program: Path
    major: int
    home: Path
    kubeconfig: Path | None = None

    def run(self, *arguments: str, values: Values | None = None) -> str:
        """Run a command, with `values` as a values file, and return what it printed.

        Raises:
            HelmError: It failed.
        """
        return self.run_with(arguments, None if values is None else yaml.safe_dump(dict(values)))

    def run_with(self, arguments: Sequence[str], values: str | None) -> str:
        """Do the same with the text of a values file."""
        given = ("--values", "-") if values is not None else ()
        done = subprocess.run(
            [str(self.program), *arguments, *given],
            input=values,
            stdin=subprocess.DEVNULL if values is None else None,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise HelmError(done.stderr + done.stdout)
        return done.stdout

    def template(self, *arguments: str, values: Values | None = None) -> Manifests:
        """Return what an installation would create."""
        return Manifests.parse(self.template_text(*arguments, values=values))

    def template_text(self, *arguments: str, values: Values | None = None, release: str = RELEASE) -> str:
        """Return what an installation would create, as Helm prints it."""
        where = ("--namespace", NAMESPACE, "--kube-version", KUBERNETES)
        command = ("template", release, str(CHART), *where, *arguments)
        return _rendered(self, command, None if values is None else yaml.safe_dump(dict(values)))

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        places = {f"HELM_{name}_HOME": str(self.home / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
        cluster = str(self.kubeconfig) if self.kubeconfig else str(self.home / "no-kubeconfig")
        return {**kept, **places, "HOME": str(self.home), "KUBECONFIG": cluster, **FRUGAL}


@functools.lru_cache(maxsize=512)
def _rendered(helm: Helm, command: tuple[str, ...], values: str | None) -> str:
    """Return what Helm makes of the chart; a hundred tests ask for the same few values."""
    return helm.run_with(command, values)

"""What Argo CD and Flux do with manifests, by their own libraries: two Go programs, built once.

    make gitops

The libraries do what the controllers call them for. What the controllers do themselves is not here: sources, retries,
caches, the status of an Application or a Kustomization.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from testkit.kubernetes.build import Target, build_target
from tests.gitops.generate import ARGOCD

TOOLS = Path(__file__).parent / "tools"
FLUX = Target(TOOLS / "flux", "fluxtool", (), "libraries of Flux")
ARGO_CD = Target(TOOLS / "argocd", "argotool", (), "libraries of Argo CD")
HEALTH_CHECKS = ARGOCD / "argocd-cm.yaml"
_PATIENCE = 120
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Applied:
    """What Flux did: `created`, `configured` or `unchanged` for each resource, or why it failed."""

    changes: dict[str, str]
    error: str


@dataclass(frozen=True, slots=True)
class Waited:
    """After how many seconds Flux' wait ended, and why it failed; empty: all is ready."""

    seconds: float
    error: str


@dataclass(frozen=True, slots=True)
class Compared:
    """Whether a resource is OutOfSync, or why the comparison failed, which an Application shows as Unknown."""

    out_of_sync: bool
    live: str
    predicted: str
    error: str


@dataclass(frozen=True, slots=True)
class Synced:
    """A sync: `Succeeded`, `Failed`, or `Running` if it had not ended in time; and what is said of each resource."""

    phase: str
    message: str
    seconds: float
    resources: dict[str, Json]

    def said(self, resource: str) -> str:
        """Return the message of a resource, given as `Kind/name`; empty: the sync did not come to it."""
        return str(self.resources.get(resource, {}).get("message", ""))


@dataclass(frozen=True, slots=True)
class _Program:
    path: Path
    kubeconfig: Path | None = None

    def of(self, kubeconfig: Path) -> Self:
        """Return the program for a cluster."""
        return replace(self, kubeconfig=kubeconfig)

    def _run(self, *arguments: str, given: str) -> Any:  # noqa: ANN401 - JSON
        command = [str(self.path), *arguments]
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=_PATIENCE)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return json.loads(done.stdout)

    def _cluster(self) -> str:
        assert self.kubeconfig is not None
        return str(self.kubeconfig)


class Flux(_Program):
    """kustomize-controller."""

    @classmethod
    def build(cls) -> "Flux":
        """Build it if need be."""
        return cls(build_target(FLUX) / FLUX.program)

    def apply(self, manifests: str, *, force: bool = False, seconds: float = 60) -> Applied:
        """Apply on the server; `force` is that of the Kustomization, `seconds` its timeout."""
        flags = ["--force"] if force else []
        found = self._run("apply", *flags, f"--timeout={seconds}s", self._cluster(), given=manifests)
        return Applied(**found)

    def wait(self, manifests: str, *, seconds: float = 60) -> Waited:
        """Wait as `wait: true` does."""
        return Waited(**self._run("wait", f"--timeout={seconds}s", self._cluster(), given=manifests))

    def kstatus(self, manifests: str) -> list[Json]:
        """Compute the status of each: by the copy that Flux and Helm use (`flux`), and by the original (`upstream`)."""
        found: list[Json] = self._run("kstatus", given=manifests)
        return found


class ArgoCd(_Program):
    """The application controller."""

    @classmethod
    def build(cls) -> "ArgoCd":
        """Build it if need be."""
        return cls(build_target(ARGO_CD) / ARGO_CD.program)

    def health(self, manifests: str) -> list[Json | None]:
        """Return the health of each by deploy/argocd/argocd-cm.yaml, None for what has none."""
        found: list[Json | None] = self._run("health", str(HEALTH_CHECKS), given=manifests)
        return found

    def diff(self, manifests: str, *, server_side: bool = False) -> list[Compared]:
        """Compare with the cluster; `server_side` is `ServerSideDiff=true`."""
        flags = ["--server-side"] if server_side else []
        found = self._run("diff", *flags, self._cluster(), given=manifests)
        return [Compared(each["outOfSync"], each["live"], each["predicted"], each["error"]) for each in found]

    def sync(self, manifests: str, *, options: Sequence[str] = (), seconds: float = 60) -> Synced:
        """Sync once, pruning what belongs to the Application and is not among the manifests.

        Args:
            manifests: YAML.
            options: `client-side-apply`, `replace`, or `confirmed` for what asks before it is pruned.
            seconds: after which it is left as it is.
        """
        flags = [f"--{each}" for each in options]
        arguments = (*flags, f"--timeout={seconds}s", self._cluster(), str(HEALTH_CHECKS))
        return Synced(**self._run("sync", *arguments, given=manifests))


def main() -> None:
    """Build both, so that tests do not have to wait for it."""
    for target in (FLUX, ARGO_CD):
        print(build_target(target) / target.program, file=sys.stderr)


if __name__ == "__main__":
    main()

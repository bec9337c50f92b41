"""What Flux does with manifests, by its own libraries, and Argo CD's interpreter: two Go programs, built once.

    make gitops

The libraries do what the controllers call them for. What the controllers do themselves is not here: sources, retries,
caches, pruning, the status of an Application or a Kustomization.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from testkit.kubernetes.build import Target, build_target

TOOLS = Path(__file__).parent / "tools"
FLUX = Target(TOOLS / "flux", "fluxtool", (), "libraries of Flux")
LUA = Target(TOOLS / "lua", "luatool", (), "the interpreter of Argo CD")
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


class Lua(_Program):
    """Argo CD's interpreter of health scripts."""

    @classmethod
    def build(cls) -> "Lua":
        """Build it if need be."""
        return cls(build_target(LUA) / LUA.program)

    def health(self, script: str, objects: Sequence[Json]) -> list[Json]:
        """Return what a health script says of each object."""
        found: list[Json] = self._run(given=json.dumps({"script": script, "objects": list(objects)}))
        return found


def main() -> None:
    """Build both, so that tests do not have to wait for it."""
    for target in (FLUX, LUA):
        print(build_target(target) / target.program, file=sys.stderr)


if __name__ == "__main__":
    main()

"""CustomResourceDefinitions: applied, and served."""

import time
from pathlib import Path
from typing import Any, Final, Protocol

from .errors import ClusterError

_PAUSE: Final = 0.2
_NUDGE: Final = 5.0


class HasKubectl(Protocol):
    """A cluster, as far as it matters here."""

    def kubectl(self, *args: str, input: str | None = None, check: bool = True) -> Any:  # noqa: A002, ANN401
        """Runs kubectl and returns the completed process."""


def apply_crds(cluster: HasKubectl, place: Path, *, within: float = 60.0) -> None:
    """Applies the definitions of a file or folder and waits until they are established.

    Raises:
        ClusterError: The API server refuses it, or does not establish it within so many seconds.
    """
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(place))
    until_established(cluster, "-f", str(place), within=within)


def until_established(cluster: HasKubectl, *which: str, given: str | None = None, within: float = 60.0) -> None:
    """Waits until definitions are established.

    `kubectl wait` waits for none that has no conditions at all, as right after it was applied, but fails at once.

    Args:
        cluster: Where they are.
        which: Arguments of kubectl that name them.
        given: What kubectl gets on standard input.
        within: Seconds to wait at most.

    Raises:
        ClusterError: They are not established by then.
    """
    deadline = time.monotonic() + within
    while True:
        done = cluster.kubectl("wait", "--for=condition=Established", "--timeout=10s", *which, input=given, check=False)
        if done.returncode == 0:
            return
        if time.monotonic() > deadline:
            raise ClusterError(f"{' '.join(which)}: not established within {within:g} s: {done.stderr.strip()}")
        time.sleep(_PAUSE)


def until_gone(cluster: HasKubectl, *names: str, within: float = 150.0) -> None:
    """Waits until definitions that are being deleted are gone.

    An API server that is too busy to delete their resources at once tries again later and later, up to a quarter of an
    hour. A change of the definition has it try at once.

    Raises:
        ClusterError: They are there after so many seconds.
    """
    begun = nudged = time.monotonic()
    while left := cluster.kubectl("get", "crd", *names, "--ignore-not-found", "--output", "name").stdout.split():
        now = time.monotonic()
        if now > begun + within:
            raise ClusterError(f"{' '.join(left)}: not gone within {within:g} s")
        if now > nudged + _NUDGE:
            nudged = now
            cluster.kubectl("annotate", *left, "--overwrite", f"testkit/asked-again={now:.0f}", check=False)
        time.sleep(_PAUSE)

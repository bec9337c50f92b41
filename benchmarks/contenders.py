"""What the operator is compared with, as processes: bare clients and a naive operator."""

import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.options import ROOT
from testkit.processes import Process, environment
from testkit.team import Team
from testkit.waiting import eventually


class Contender(Process):
    """A process that serves a namespace; a context manager that starts and stops it."""

    def __init__(self, module: str, arguments: list[str], kubeconfig: Path, url: str, team: Team, log: Path) -> None:
        variables: Mapping[str, str] = {
            "KUBECONFIG": str(kubeconfig),
            "FIREWORKS_BASE_URL": url,
            "FIREWORKS_API_KEY": team.api_key,
            "FIREWORKS_ACCOUNT_ID": team.account,
        }
        super().__init__((sys.executable, "-m", module, *arguments), environment(**variables), log)

    def __enter__(self) -> Self:
        self.launch()
        self.until_started()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.running:
            self.end(signal.SIGTERM)

    def until_started(self) -> None:
        """Wait until it watches."""


class Raw(Contender):
    """The bare clients of `benchmarks.raw`; they end when all resources are READY."""

    def __init__(self, kubeconfig: Path, url: str, team: Team, log: Path, *, count: int) -> None:
        arguments = [f"--namespace={team.namespace}", f"--count={count}"]
        super().__init__("benchmarks.raw", arguments, kubeconfig, url, team, log)

    def until_started(self) -> None:
        """Wait until it watches."""
        eventually(lambda: "watching" in self.log(), "the bare clients watch", within=60, explain=self.tail)


class Naive(Contender):
    """The naive operator, run by Kopf's own command."""

    def __init__(self, kubeconfig: Path, url: str, team: Team, log: Path) -> None:
        program = str(ROOT / "benchmarks" / "naive" / "operator.py")
        arguments = ["run", "--standalone", f"--namespace={team.namespace}", program]
        super().__init__("kopf", arguments, kubeconfig, url, team, log)

    def until_started(self) -> None:
        """Wait until it watches."""
        eventually(
            lambda: "Starting the watch-stream for fireworks" in self.log() or "Initial authentication" in self.log(),
            "the naive operator watches",
            within=60,
            explain=self.tail,
        )

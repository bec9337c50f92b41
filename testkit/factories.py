"""What the fixtures of these tests give, for annotations."""

import secrets
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Protocol

from testkit.processes import Operator
from testkit.team import Team, new_api_key

OWN_ACCOUNT = f"acme-{secrets.token_hex(4)}"
OWN_KEY = new_api_key()
"""The operator's own account and key, as FIREWORKS_API_KEY; of this worker alone."""


class Cluster(Protocol):
    """The part of the session's cluster that these tests use."""

    @property
    def kubeconfig(self) -> Path: ...

    def kubectl(self, *args: str, input: str | None = None, check: bool = True) -> CompletedProcess[str]: ...  # noqa: A002


class StartOperator(Protocol):
    """Starts an operator; see `Operator` for the arguments. `wait=False` returns before it is ready."""

    def __call__(self, *, api_key: str | None = OWN_KEY, base_url: str | None = None, **settings: str) -> Operator: ...


class MakeTeam(Protocol):
    """Makes a team for an operator; `own=True`: one that uses the operator's own account, without a Secret."""

    def __call__(self, operator: Operator | None, *, own: bool = False) -> Team: ...


Kubectl = Callable[..., CompletedProcess[str]]
"""Runs kubectl with arguments; `check=False` returns failures too."""

NewTeam = Callable[[], Team]
"""Makes one more team of the module's operator."""

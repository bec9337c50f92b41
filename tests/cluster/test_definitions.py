"""A definition that is slow to go is waited for, and asked for again."""

import subprocess

import pytest

from testkit.kubernetes import ClusterError, definitions
from testkit.kubernetes.definitions import until_gone

NAME = "chats.example.com"


class _Server:
    """kubectl of an API server that deletes a definition only when it is changed so many times, or never."""

    def __init__(self, changes: int | None) -> None:
        self._left = changes
        self.changed = 0

    def kubectl(self, *args: str, input: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:  # noqa: A002
        if args[0] == "annotate":
            self.changed += 1
        there = self._left is None or self.changed < self._left
        return subprocess.CompletedProcess[str](args, 0, f"crd/{NAME}\n" if there else "", "")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(definitions, "_PAUSE", 0.001)
    monkeypatch.setattr(definitions, "_NUDGE", 0.002)


@pytest.mark.parametrize("changes", [0, 1, 3])
def test_it_is_changed_until_the_api_server_tries_again(changes: int) -> None:
    server = _Server(changes)
    until_gone(server, NAME)
    assert server.changed == changes


def test_one_that_does_not_go_is_named() -> None:
    with pytest.raises(ClusterError, match=f"crd/{NAME}: not gone within 0.05 s"):
        until_gone(_Server(None), NAME, within=0.05)

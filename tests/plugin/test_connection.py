"""Which cluster and namespace are meant, by the command line, the environment and the pod."""

import json
from pathlib import Path
from typing import Any

import click
import pytest

from fireworks_operator.plugin.connection import Choice, Place, find_place


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


def written(path: Path, **content: Any) -> Path:  # noqa: ANN401 - any part of a kubeconfig
    """A kubeconfig."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def refusal(choice: Choice) -> str:
    with pytest.raises(click.ClickException) as caught:
        find_place(choice)
    return caught.value.message


def test_without_a_kubeconfig_and_a_pod_it_is_said_what_to_set() -> None:
    assert refusal(Choice()).startswith("No Kubernetes configuration found: set KUBECONFIG")


def test_a_pod_has_no_other_context_to_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    assert find_place(Choice(namespace="team-a")) == Place((), "", "team-a")
    for choice in (Choice(context="a"), Choice(cluster="a"), Choice(user="a"), Choice(impersonate="a")):
        assert "requires a kubeconfig: set KUBECONFIG" in refusal(choice)


def test_the_file_in_the_home_folder_counts_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = written(tmp_path / ".kube/config", **{"current-context": "a", "contexts": [{"name": "a"}]})
    assert find_place(Choice()) == Place((usual,), "a", "default")
    named = {"name": "b", "context": {"namespace": "team-b"}}
    other = written(tmp_path / "other", **{"current-context": "b", "contexts": [named]})
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/missing:{other}:{usual}")
    assert find_place(Choice()) == Place((other, usual), "b", "team-b")
    assert find_place(Choice(context="a")).namespace == "default"
    assert find_place(Choice(kubeconfig=usual, namespace="team-c")) == Place((usual,), "a", "team-c")


@pytest.mark.parametrize("content", ["", "[]", "contexts: {}", "contexts: [7]", "current-context: a", "x: [", "\x00"])
def test_a_file_that_is_no_kubeconfig_is_told_in_a_sentence(tmp_path: Path, content: str) -> None:
    path = tmp_path / "odd"
    path.write_text(content)
    assert refusal(Choice(kubeconfig=path)).endswith(".")

"""What kubectl is offered at a TAB; a script stands for kubectl, which is asked for names."""

import json
import os
from pathlib import Path

import pytest

from fireworks_operator.plugin.cli import main
from fireworks_operator.plugin.completion import offer

CONFIG = {
    "current-context": "mine",
    "contexts": [
        {"name": "mine", "context": {"cluster": "a", "user": "a", "namespace": "team-a"}},
        {"name": "many", "context": {"cluster": "a", "user": "a"}},
    ],
}


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What kubectl was asked for; it answers with three names."""
    log, config = tmp_path / "asked", tmp_path / "config"
    config.write_text(json.dumps(CONFIG))
    answer = json.dumps({"items": [{"metadata": {"name": name}} for name in ("code", "chat", "other")]})
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(f"#!/bin/sh\necho \"$@\" >> {log}\ntest ! -e {tmp_path}/broken || exit 1\necho '{answer}'\n")
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("KUBECONFIG", str(config))
    return log


def offered(*words: str) -> list[str]:
    """The words that are offered, without what stands behind them."""
    *lines, directive = offer(main, list(words))
    assert directive == ":4", "no file names"
    return [line.split("\t")[0] for line in lines]


def test_names_come_from_the_namespace_of_the_context(asked: Path) -> None:
    assert offered("status", "c") == ["chat", "code"]
    path = "/apis/fireworks.ai/v1alpha1/namespaces/team-a/fireworksdeployments"
    assert asked.read_text() == f"get --raw {path} --request-timeout=3s\n"


def test_names_come_from_the_cluster_that_the_words_before_say(asked: Path) -> None:
    words = ["--context", "many", "--as", "jane", "--as-group", "dev", "--user", "b", "--cluster", "c", "-n", "team-b"]
    assert offered("query", *words, "o") == ["other"]
    assert asked.read_text().split()[2:] == [
        "/apis/fireworks.ai/v1alpha1/namespaces/team-b/fireworksdeployments",
        "--request-timeout=3s",
        *("--context=many", "--cluster=c", "--user=b", "--as=jane", "--as-group=dev"),
    ]


def test_namespaces_contexts_formats_and_options_are_offered(asked: Path) -> None:
    assert offered("list", "-n", "") == ["chat", "code", "other"]
    assert asked.read_text().startswith("get --raw /api/v1/namespaces ")
    assert offered("list", "--context", "m") == ["many", "mine"]
    assert offered("list", "-o", "") == ["wide", "name", "json", "yaml"]
    assert offered("endpoint", "x", "-o", "") == ["json", "yaml"]
    assert offered("status", "--wa") == ["--watch"]


def test_without_an_answer_no_name_is_offered(asked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken").touch()
    assert offered("status", "") == []
    assert asked.exists()
    assert offered("status", "--context", "nowhere", "") == []
    monkeypatch.setenv("PATH", "/nowhere")
    assert offered("status", "") == []
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    assert offered("status", "") == []
    assert offered("list", "--context", "") == []

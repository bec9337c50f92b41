"""What must be answered at once: help, each TAB, and mistakes in the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("kubernetes", "httpx", "pydantic", "kopf", "aiohttp", "rich", "asyncio")
PROGRAM = """\
import sys
from fireworks_operator.plugin.__main__ import {function}
try:
    {function}()
finally:
    print(*sorted(set(sys.modules) & {heavy}), file=open({file!r}, "w"))
"""
STARTS = 20.0
"""How many times the processor time of Python itself the help may take: 0.4 s where Python takes 20 ms."""

QUICK = [
    ("main", ["--help"], 0),
    ("main", ["--version"], 0),
    ("main", ["status", "--help"], 0),
    ("main", ["lst"], 2),
    ("main", ["status"], 2),
    ("main", ["list", "--bogus"], 2),
    ("main", ["status", "x", "--timeout", "1m"], 2),
    ("main", ["list", "--as-group", "x"], 2),
    ("main", ["list", "--context", "nowhere"], 1),
    ("main", ["query", "x", " "], 2),
    ("main", ["plan"], 2),
    ("main", ["shapes", "x"], 1),
    ("main", ["import", "x"], 1),
    ("main", ["orphans"], 1),
    ("complete", [""], 0),
    ("complete", ["status", "--wa"], 0),
    ("complete", ["list", "-o", ""], 0),
    ("complete", ["list", "--context", ""], 0),
    ("complete", ["status", ""], 0),
]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """That of a user with a context and without a key; no cluster answers."""
    contexts = [{"name": "mine", "context": {"cluster": "a", "user": "a"}}]
    clusters = [{"name": "a", "cluster": {"server": "https://127.0.0.1:1"}}]
    config = {"current-context": "mine", "contexts": contexts, "clusters": clusters, "users": [{"name": "a"}]}
    (tmp_path / "config").write_text(json.dumps(config))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FIREWORKS_")}
    return kept | {"KUBECONFIG": str(tmp_path / "config")}


@pytest.mark.parametrize(("function", "words", "code"), QUICK, ids=lambda each: each if isinstance(each, str) else None)
def test_what_must_be_quick_imports_nothing_heavy(
    function: str, words: list[str], code: int, environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "imported"
    program = PROGRAM.format(function=function, heavy=set(HEAVY), file=str(file))
    done = subprocess.run(
        [sys.executable, "-c", program, *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert file.read_text().split() == []


def test_the_help_takes_no_more_than_a_few_times_what_python_takes(environment: dict[str, str]) -> None:
    start = "from fireworks_operator.plugin.__main__ import main; main()"
    bare = _least(["-c", "pass"], environment)
    helped = _least(["-c", start, "--help"], environment)
    assert helped < STARTS * max(bare, 0.02)


def _least(words: list[str], environment: dict[str, str]) -> float:
    """The least seconds of processor time of five runs: how long they wait for others says nothing."""
    taken = []
    for _ in range(5):
        process = subprocess.Popen([sys.executable, *words], env=environment, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        taken.append(used.ru_utime + used.ru_stime)
    return min(taken)

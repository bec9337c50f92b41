"""The sections of docs/reliability.md are written between marks, by the commands."""

import re

import pytest

from benchmarks.chaos.page import PAGE, chaos_section, replaced
from benchmarks.chaos.tally import LEADER, Tally

_CIRCUMSTANCES = dict.fromkeys(("operator", "commit", "kubernetes", "python", "machine", "date"), "x")
_PAGE = "Before.\n\n<!-- chaos: begin, written by `make chaos` -->\n\nOld.\n\n<!-- chaos: end -->\n\nAfter.\n"


def test_a_section_takes_the_place_of_the_former_one_and_the_rest_stays() -> None:
    once = replaced(_PAGE, "chaos", "New.", target="chaos")
    assert once == _PAGE.replace("Old.", "New.")
    assert replaced(once, "chaos", "New.", target="chaos") == once


def test_a_page_without_the_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="lacks the marks of soak"):
        replaced(_PAGE, "soak", "New.", target="soak")


def test_the_page_has_the_marks_of_all_three() -> None:
    marks = re.findall(r"<!-- ([\w-]+): (begin|end)", PAGE.read_text())
    assert marks == [(name, what) for name in ("chaos", "await-points", "soak") for what in ("begin", "end")]


def test_the_section_of_chaos_tells_what_was_counted() -> None:
    tally = Tally()
    tally.killed("create", acted=True, of=LEADER)
    tally.killed("a Kubernetes write", acted=True)
    tally.killed("any moment", acted=True)
    tally.killed("any moment", acted=False)
    tally.faults.update({("503", "list"): 2, ("503", "create"): 1, ("429", "list"): 1})
    tally.troubles.update({"all watches end with 410": 4})
    tally.settling.extend((3.0, 1.0, 2.0))
    tally.ends.update({"the leader killed": 3})
    tally.take_overs.extend((17.0, 14.0, 16.0))
    tally.settling_of_pairs.extend((4.0,))
    broken = {"duplicates": 0, "leaks": 0, "stuck": 0, "foreignTouched": 0}
    section = chaos_section({"seed": "7", "seconds": 120, "circumstances": _CIRCUMSTANCES, **broken, **tally.as_json()})
    for line in (
        "seed `7`, 2 minutes",
        "| operators killed with SIGKILL after they had begun to act | 3 |",
        "| of these: of two under leader election, the one that led | 1 |",
        "| of these: while a request to Fireworks was under way | 1 |",
        "| different faults met | 3 |",
        "| requests that met a fault | 4 |",
        "| 503 | 3 | create, list |",
        "2.0 s (median) and 3.0 s (longest)",
        "| of these: of two under leader election | 1 |",
        "| the leader killed | 3 |",
        "| was killed | 3 | 14.0 | 16.0 | 17.0 |",
        "| was stopped | - | - | - | - |",
        "within 4.0 s (median) and 4.0 s (longest)",
    ):
        assert line in section

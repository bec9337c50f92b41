"""Writes the results of chaos and soak into docs/reliability.md, between marks; the rest of the page stays."""

import json
import platform
import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.chaos.tally import LEADER

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reliability.md"
RESULTS = ROOT / "docs/reliability"


def circumstances(kubernetes: str) -> dict[str, str]:
    """Return what a result depends on: versions, machine, date."""
    commit = subprocess.run(
        ("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"), capture_output=True, text=True, check=False
    )
    return {
        "operator": version("fireworks-operator"),
        "commit": commit.stdout.strip() or "unknown",
        "kubernetes": kubernetes,
        "python": platform.python_version(),
        "machine": f"{len_cpus()} cores, {platform.system()} {platform.machine()}",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def len_cpus() -> int:
    """Return the number of processors."""
    return sum(1 for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("processor"))


def publish(name: str, result: Mapping[str, Any], section: str, *, target: str) -> None:
    """Write a result as JSON, and its section of the page; `target` is what `make` is called with."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    PAGE.write_text(replaced(PAGE.read_text(), name, section, target=target))


def replaced(page: str, name: str, section: str, *, target: str) -> str:
    """Return the page with another section between the marks of a name.

    Raises:
        ValueError: the page has no such marks.
    """
    begin, end = f"<!-- {name}: begin, written by `make {target}` -->", f"<!-- {name}: end -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"docs/reliability.md lacks the marks of {name}")
    return pattern.sub(lambda _: f"{begin}\n\n{section.strip()}\n\n{end}", page)


def table(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    """Return a Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def chaos_section(result: Mapping[str, Any]) -> str:
    """Return what `make chaos` found, for the page."""
    where = result["circumstances"]
    faults: Mapping[str, Mapping[str, int]] = result["faults"]
    counts = [
        ("operators killed with SIGKILL after they had begun to act", result["kills"]),
        ("of these: of two under leader election, the one that led", result["killsOf"].get(LEADER, 0)),
        ("of these: while a request to Fireworks was under way", _kills_at_requests(result["killsByAim"])),
        ("of these: at a write to Kubernetes", result["killsByAim"].get("a Kubernetes write", 0)),
        ("rounds, each checked", result["rounds"]),
        ("of these: of two under leader election", result["settlingSecondsOfTwo"]["times"]),
        ("things that users and others did", sum(result["steps"].values())),
        ("different faults met", result["distinctFaults"]),
        ("requests that met a fault", sum(sum(each.values()) for each in faults.values())),
        ("restarts of the API server", result["apiServerRestarts"]),
        ("**deployments created twice**", f"**{result['duplicates']}**"),
        ("**deployments that run for nobody**", f"**{result['leaks']}**"),
        ("**resources that do not converge or cannot be deleted**", f"**{result['stuck']}**"),
        ("**deployments of others touched**", f"**{result['foreignTouched']}**"),
    ]
    settling = result["settlingSeconds"]
    met = [(name, sum(routes.values()), ", ".join(routes)) for name, routes in faults.items()]
    met += [(name, count, "Kubernetes") for name, count in result["kubernetesTroubles"].items()]
    return "\n\n".join(
        (
            f"Run of {where['date']}: seed `{result['seed']}`, {result['seconds'] / 60:.0f} minutes, operator "
            f"{where['operator']} ({where['commit']}), Kubernetes {where['kubernetes']}, Python {where['python']}, "
            f"{where['machine']}.",
            table(("what", "count"), list(counts)),
            f"After the last fault of a round all was as it must be within {settling['median']} s (median) and "
            f"{settling['longest']} s (longest) where one operator ran.",
            _two_operators(result),
            _endings(result["endedByThemselves"]),
            "Faults that were met, and by which requests:",
            table(("fault", "times", "requests"), list(met)),
        )
    )


def _two_operators(result: Mapping[str, Any]) -> str:
    """Return what happened where two operators ran under leader election."""
    ends: Mapping[str, int] = result["twoOperators"]
    if not ends:
        return "No shard had two operators."
    took, settling = result["takeOverSeconds"], result["settlingSecondsOfTwo"]
    waits = [("was killed", took["fromOneKilled"]), ("was stopped", took["fromOneStopped"])]
    spread = ("times", "shortest", "median", "longest")
    return "\n\n".join(
        (
            table(("two operators under leader election", "times"), list(ends.items())),
            "Seconds until the standby acted; the Lease lasts 15 s, as in production:",
            table(
                ("after the leader", *spread),
                [(what, *(each[name] if each["times"] else "-" for name in spread)) for what, each in waits],
            ),
            f"After the last fault of their rounds all was as it must be within {settling['median']} s (median) and "
            f"{settling['longest']} s (longest); where both were dead, the Lease had to expire first.",
        )
    )


def _endings(endings: Mapping[str, int]) -> str:
    """Return why operators ended that nobody had killed."""
    if not endings:
        return "No operator ended by itself."
    lines = [f"- {count}: {words}" for words, count in endings.items()]
    return "\n".join(["Operators that ended by themselves, and were started again as by the kubelet:", "", *lines])


def _kills_at_requests(aims: Mapping[str, int]) -> int:
    return sum(count for aim, count in aims.items() if aim not in ("any moment", "its start", "a Kubernetes write"))

"""Users beside the operator: eight kubectl create resources at once, while nobody or somebody serves them."""

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from benchmarks.arena import Arena
from benchmarks.bench import Bench
from benchmarks.options import LIFTED, Options
from benchmarks.results import Result, Sample, Target, say
from benchmarks.timeline import Timeline

NAME: Final = "writers"
WRITERS: Final = 8
NOBODY, RAW, OPERATOR = "nobody", "bare clients", "operator"


def run(bench: Bench, options: Options) -> Result:
    """Measure how long kubectl takes alone, beside the bare clients and beside the operator, in turn."""
    contenders = (NOBODY, RAW, OPERATOR)
    samples = tuple(_sample(bench, each, options.scale) for _ in range(options.runs) for each in contenders)
    result = Result(NAME, samples, ())
    return Result(NAME, samples, tuple(_targets(result, options.scale)))


def _sample(bench: Bench, contender: str, count: int) -> Sample:
    arena = bench.arena("writers")
    names = arena.names(count)
    files = _manifests(arena, names)
    with Timeline(bench.api, arena.namespace) as timeline, _served(arena, contender, count):
        began = time.monotonic()
        _create(bench, files)
        figures = {"kubectl s": time.monotonic() - began}
        if contender != NOBODY:
            everything = timeline.until_ready(names, within=90 + count / 6)
            figures |= {"all READY s": time.monotonic() - began, "stuck": 0.0 if everything else 1.0}
    arena.close()
    return say(Sample(contender, count, figures))


def _manifests(arena: Arena, names: Sequence[str]) -> list[Path]:
    """Write the resources into a file for each writer."""
    files = []
    for writer in range(WRITERS):
        items = [arena.team.manifest(name, {}, {"deploymentId": name}) for name in names[writer::WRITERS]]
        file = arena.folder / f"writer-{writer}.json"
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}), encoding="utf-8")
        files.append(file)
    return files


@contextlib.contextmanager
def _served(arena: Arena, contender: str, count: int) -> Iterator[None]:
    """Run a contender for an arena, or none."""
    if contender == NOBODY:
        yield
    else:
        with arena.operator(LIFTED) if contender == OPERATOR else arena.raw(count):
            yield


def _create(bench: Bench, files: Sequence[Path]) -> None:
    """Let all writers create their files at once.

    Raises:
        ChildProcessError: One of them failed.
    """
    failed = [code for code in [each.wait() for each in [bench.kubectl_create(file) for file in files]] if code]
    if failed:
        raise ChildProcessError(f"{len(failed)} of {len(files)} kubectl failed, with exit codes {failed}")


def _targets(result: Result, scale: int) -> Iterator[Target]:
    alone, beside = (result.spread("kubectl s", each, scale).median for each in (NOBODY, OPERATOR))
    yield Target(
        "writers-operator",
        f"{WRITERS} kubectl create {scale:,} resources: time beside the operator, in multiples of that without one",
        beside / alone,
        2.5,
    )

"""`python -m benchmarks.chaos`: see the package."""

import contextlib
import json
import secrets
import shutil
import signal
import sys
import threading
import time
import traceback
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

import click

from benchmarks.chaos.page import chaos_section, circumstances, publish
from benchmarks.chaos.shard import Shard
from benchmarks.chaos.stage import Stage, run_folder, set_up
from benchmarks.chaos.tally import Tally

NOTHING_BROKEN = {"duplicates": 0, "leaks": 0, "stuck": 0, "foreignTouched": 0}
"""What a run that ends well has found: the first of these ends it."""


def say(what: str) -> None:
    """Tell what happens."""
    click.echo(f"[{time.strftime('%H:%M:%S')}] {what}")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--kills", default=1000, show_default=True, help="Operators to kill.")
@click.option("--seed", default=None, help="Of the plan; drawn and shown if it is not given.")
@click.option("--shards", default=4, show_default=True, help="Operators that live and die side by side.")
@click.option("--pairs", default=3, show_default=True, help="Beside them: pairs of two under leader election.")
@click.option("--first-round", default=0, show_default=True, help="Number of the first round, to repeat one.")
@click.option("--page/--no-page", default=True, help="Write the result into docs/reliability.md.")
def main(kills: int, seed: str | None, shards: int, pairs: int, first_round: int, page: bool) -> None:
    """Kill the operator again and again; fail if anything is doubled, lost, stuck or touched that is not ours."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to stop"))
    seed = seed or secrets.token_hex(4)
    folder = run_folder(seed)
    say(f"seed {seed}; logs are in {folder}")
    tally = Tally()
    began = time.monotonic()
    with set_up(folder, seed=seed, shards=shards, pairs=pairs, tally=tally, say=say) as stage:
        where = circumstances(stage.kubernetes_version())
        failed = play(stage, tally, kills, first_round)
        seconds = round(time.monotonic() - began)
        if failed:
            keep_evidence(stage, failed)
    result = {"seed": seed, "seconds": seconds, "circumstances": where, **NOTHING_BROKEN, **tally.as_json()}
    click.echo(json.dumps(result, indent=2))
    if failed:
        click.echo("\n".join(failed))
        say(f"FAILED with seed {seed}: see {folder}")
        sys.exit(1)
    if page:
        publish("chaos", result, chaos_section(result), target="chaos")
    shutil.rmtree(folder)


def play(stage: Stage, tally: Tally, kills: int, first_round: int) -> list[str]:
    """Play rounds in all shards until there are enough kills or a promise is broken; return what was."""
    over = threading.Event()

    def rounds(shard: Shard) -> None:
        number = first_round
        while tally.kills < kills and not over.is_set():
            shard.round(number)
            number += 1

    failed: list[str] = []
    with ThreadPoolExecutor(len(stage.shards)) as pool, contextlib.ExitStack() as stack:
        running = {pool.submit(rounds, shard) for shard in stage.shards}
        restarted = 0
        stack.callback(over.set)
        while running:
            done, running = wait(running, timeout=10, return_when=FIRST_EXCEPTION)
            for each in done:
                error = each.exception()
                if error is not None:
                    over.set()
                    failed.append("".join(traceback.format_exception(error)))
            say(f"{tally.kills} kills in {tally.rounds} rounds, {tally.distinct_faults()} kinds of faults")
            if running and tally.kills // 60 > restarted:
                restarted = tally.kills // 60
                stage.restart_api_server(abruptly=restarted % 2 == 0)
                tally.api_server_restarts += 1
    return failed


def keep_evidence(stage: Stage, failed: list[str]) -> None:
    """Write down all that may explain a failure."""
    (stage.folder / "failures.txt").write_text("\n".join(failed))
    (stage.folder / "state.json").write_text(json.dumps(stage.simulator.state(), indent=1))
    (stage.folder / "journal.json").write_text(json.dumps(stage.simulator.call("GET", "/journal"), indent=1))
    for shard in stage.shards:
        place = stage.folder / f"shard-{shard.number}"
        (place / "story.txt").write_text("\n".join(shard.story))
        (place / "resources.json").write_text(json.dumps(dict(shard.look().resources), indent=1))


if __name__ == "__main__":
    main()

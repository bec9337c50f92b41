"""`python -m benchmarks.chaos.await_points`: every flow killed at every await point, and the section of the page."""

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as Xml
from pathlib import Path

import click

from benchmarks.chaos.page import ROOT, publish, table

_TESTS = ("tests/model/test_every_await_point.py", "tests/model/test_router_await_points.py")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--page/--no-page", default=True, help="Write what it counted into docs/reliability.md.")
def main(page: bool) -> None:
    """Run the tests in full; fail if a flow does not end as it must."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = (sys.executable, "-m", "pytest", "-q", "--numprocesses", "0", "-o", "junit_family=xunit1")
        done = subprocess.run(
            (*command, f"--junitxml={report}", *_TESTS), cwd=ROOT, env=os.environ | {"AWAIT_POINTS": "all"}, check=False
        )
        if done.returncode != 0:
            sys.exit(done.returncode)
        found = Xml.parse(report).iter("property")  # noqa: S314 - the file is our own
        points = {str(each.get("name")): int(str(each.get("value"))) for each in found}
    rows: list[tuple[object, ...]] = [*points.items(), ("**all**", f"**{sum(points.values())}**")]
    click.echo(f"killed at {sum(points.values())} await points of {len(points)} flows; all ended as they must")
    if not page:
        return
    section = table(("flow", "await points, killed at each"), rows)
    publish("await-points", points, f"{section}\n\nAll ended as they must.", target="chaos")


if __name__ == "__main__":
    main()

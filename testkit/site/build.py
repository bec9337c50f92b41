"""The site as `make site` builds it, for tests: once for all workers of a run."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from testkit.kubernetes.files import locked
from testkit.shared import FOLDER

ROOT: Final = Path(__file__).resolve().parents[2]
SITE_URL: Final = "https://docs.example.org/operator/"
REPO_URL: Final = "https://git.example.org/team/copy"
REPO_REF: Final = "v9.8"
"""Addresses that are not the defaults, so that it shows where one of those is built in."""


def built_site() -> Path:
    """Return the folder of the site; it is built if this is the first to ask.

    Raises:
        AssertionError: the build fails, or warns of something.
    """
    run = Path(os.environ[FOLDER]) / "documentation"
    site = run / "site"
    with locked(run):
        if not site.exists():
            _build(site)
    return site


def _build(site: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    built = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={
            "NO_MKDOCS_2_WARNING": "1",
            "PATH": "",
            "SITE_URL": SITE_URL,
            "REPO_URL": REPO_URL,
            "REPO_REF": REPO_REF,
            "EDIT_URI": f"edit/{REPO_REF}/docs/",
        },
    )
    assert built.returncode == 0, built.stdout + built.stderr

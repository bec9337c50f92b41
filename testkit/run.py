"""A plugin of pytest: the folder of a run, and the end of all that was started there, whoever started it."""

import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Final

import pytest

from testkit.kubernetes import Cluster
from testkit.kubernetes.processes import Processes
from testkit.shared import CLUSTER, FOLDER, shared_operator

_PATIENCE: Final = 10.0
"""Seconds that a process gets to end by itself."""


class _Run:
    """The run, in the process that began it; a pytest that a test runs is part of it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fireworks-test-run-"))
        os.environ[FOLDER] = str(self.folder)
        # Else a run that is cancelled ends at once, and leaves its control planes running.
        signal.signal(signal.SIGTERM, signal.default_int_handler)

    def pytest_unconfigure(self) -> None:
        """End what was started."""
        del os.environ[FOLDER]
        processes = Processes(self.folder)
        for name in processes.names():
            processes.stop(name, _PATIENCE)
        for left in self.folder.glob(f"{CLUSTER}*"):
            Cluster(left).down()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """No test but those that use it has the shared operator in its cluster."""
    if "session_operator" not in getattr(item, "fixturenames", ()):
        shared_operator.rest()


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder of the run, and tell the workers, which inherit the environment."""
    if FOLDER not in os.environ:
        config.pluginmanager.register(_Run(), "testkit-run")

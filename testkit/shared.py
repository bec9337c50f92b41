"""What all workers of a run use together: started by the first that needs it, ended with the run.

That is the simulator: with a world for each account, tests that run at the same time do not meet in it. Kubernetes
is not shared: an operator manages all namespaces of its cluster, so that those of two workers would get into each
other's way, and a control plane of one's own costs 3 seconds of processor time and 2 % of a core. Within a worker, one
module of tests after the other uses the same operator.
"""

import os
import re
import secrets
import tempfile
from pathlib import Path
from typing import Final

from fireworks_simulator.testing import SimulatorClient
from testkit.kubernetes.files import locked
from testkit.kubernetes.processes import Processes
from testkit.processes import SharedOperator, simulator_command
from testkit.waiting import eventually

FOLDER: Final = "FIREWORKS_TEST_RUN"
"""The variable by which workers are told the folder of the run."""
CLUSTER: Final = "cluster-"
"""What the folders of clusters begin with."""
_SIMULATOR = "simulator"

shared_operator = SharedOperator()
"""Of this worker."""


def simulator_of_the_run() -> SimulatorClient:
    """Return the simulator that all workers share; it is started if this is the first to ask."""
    folder = Path(os.environ[FOLDER])
    processes = Processes(folder)
    with locked(folder):
        if not processes.alive(_SIMULATOR):
            # Nobody uses that account: the key may stand where everybody can read it.
            command = simulator_command(port=0, account="nobodys")
            processes.start(_SIMULATOR, [*command, f"--api-key=fw_{secrets.token_hex(16)}"])
    log = processes.log(_SIMULATOR)

    def listening() -> re.Match[str] | None:
        assert processes.alive(_SIMULATOR), f"the simulator has ended\n{log.read_text()}"
        return re.search(r"listening on (http://\S+)", log.read_text())

    return SimulatorClient(eventually(listening, "the simulator listens", explain=log.read_text)[1])


def new_cluster_folder() -> Path:
    """Return a folder for a cluster, which ends with the run even if whoever started it is killed."""
    return Path(tempfile.mkdtemp(prefix=CLUSTER, dir=os.environ[FOLDER]))

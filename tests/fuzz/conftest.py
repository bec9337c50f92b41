"""The same programs as in the integration tests: a real API server, the simulator, the operator as a process."""

from integration.conftest import kubernetes, make_team, simulator, simulator_process, start_operator

__all__ = ["kubernetes", "make_team", "simulator", "simulator_process", "start_operator"]

"""The same programs as in the integration tests: a real API server, the simulator, the operator as a process."""

from tests.integration.conftest import fireworks, kubernetes, make_team, own_world, simulator, start_operator

__all__ = ["fireworks", "kubernetes", "make_team", "own_world", "simulator", "start_operator"]

"""Resources that come, change and go, each with a name that no other ever has."""

import random
from collections import Counter
from typing import Any

from fireworks_simulator.testing import SimulatorError
from testkit.kubernetes_api import KubernetesError
from testkit.promises.specs import changed, new_spec
from testkit.team import Team

ADDONS = ("accounts/fireworks/models/soak-lora-1", "accounts/fireworks/models/soak-lora-2")
_CHANGES: tuple[tuple[str, object], ...] = (
    ("displayName", "Chat"),
    ("displayName", "Chat, tuned"),
    ("description", "For the team"),
    ("minReplicaCount", 1),
    ("minReplicaCount", 0),
    ("scaleUpWindow", "5m"),
    ("addons", ADDONS),
    ("addons", ADDONS[:1]),
    ("addons", None),
)
_FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "code": "UNAVAILABLE"},
    {"kind": "drop_before_commit"},
    {"kind": "drop_after_commit"},
    {"kind": "truncate_body"},
    {"kind": "html_502"},
    {"kind": "rate_limit"},
)


class Churn:
    """Users, the console and the API's troubles, drawn from a seed.

    Args:
        teams: where resources come and go.
        most: resources that there are at a time.
        seed: of what happens.
    """

    def __init__(self, teams: tuple[Team, ...], most: int, seed: str) -> None:
        self._teams = teams
        self._most = most
        self._random = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
        self._alive: list[tuple[Team, str]] = []
        self._number = 0
        self.done: Counter[str] = Counter()

    def step(self) -> None:
        """Do one thing."""
        if len(self._alive) < self._most // 2:
            self._create()
            return
        chance = self._random.random()
        if chance < 0.25 and len(self._alive) < self._most:
            self._create()
        elif chance < 0.5:
            self._delete()
        elif chance < 0.85:
            self._change()
        elif chance < 0.95:
            self._edit_in_the_console()
        else:
            self._fail()

    def delete_all(self) -> None:
        """Delete what is left."""
        while self._alive:
            self._delete()

    def _create(self) -> None:
        team = self._random.choice(self._teams)
        self._number += 1
        name = f"soak-{self._number}"
        spec = new_spec("team-b" if team.own else "team-a", [self._random.choice(_CHANGES)])
        team.create(name, spec={**spec, "minReplicaCount": spec.get("minReplicaCount")})
        self._alive.append((team, name))
        self.done["create"] += 1

    def _delete(self) -> None:
        team, name = self._alive.pop(self._random.randrange(len(self._alive)))
        team.delete(name)
        self.done["delete"] += 1

    def _change(self) -> None:
        team, name = self._random.choice(self._alive)
        spec = changed(team.get(name)["spec"], *self._random.choice(_CHANGES))
        absent = dict.fromkeys(("addons",))
        try:
            team.change(name, **{**absent, **spec})
        except KubernetesError as error:
            if error.status not in (409, 422):
                raise
        self.done["change"] += 1

    def _edit_in_the_console(self) -> None:
        team, name = self._random.choice(self._alive)
        claimed = team.status(name).get("deploymentName")
        if claimed is None:
            return
        try:
            team.simulator.edit(claimed.rsplit("/", 1)[-1], {"displayName": "Somebody's"})
        except SimulatorError:
            return  # not created yet
        self.done["edit in the console"] += 1

    def _fail(self) -> None:
        team = self._random.choice(self._teams)
        fault = dict(self._random.choice(_FAULTS))
        team.fault(fault.pop("kind"), times=self._random.randint(1, 3), action=fault)
        self.done["fault"] += 1

"""Tenants full of broken resources, and how long a healthy resource waits for its create request beside them."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from fireworks_operator.api.v1alpha1 import ANNOTATION_ABANDON
from testkit.team import Team, new_api_key

_LET_GO = {"annotations": {ANNOTATION_ABANDON: "true"}}
"""No effect before deletion, and then the quickest."""


def broken(number: int) -> Mapping[str, object]:
    """Return what is wrong with a resource: each kind in turn."""
    return (
        {"baseModel": "accounts/fireworks/models/no-such-model"},
        {"acceleratorType": "NVIDIA_H200_141GB"},  # no quota
        {"deploymentId": f"error-{number}"},  # answered with 500
        {"credentialsSecretRef": {"name": f"missing-{number}"}},
        {"credentialsSecretRef": {"name": "wrong"}},
    )[number % 5]


def break_team(team: Team, count: int) -> None:
    """Fill a team with so many broken resources."""
    team.simulator.quota("global--h200-count", 0)
    team.put_secret("wrong", apiKey=new_api_key())
    for number in range(count):
        identifier = broken(number).get("deploymentId")
        if identifier is not None:
            team.simulator.fault("status", match={"account": team.account, "deployment": str(identifier)}, status=500)
    fill(team, count, broken)


def fill(team: Team, count: int, spec: Callable[[int], Mapping[str, object]]) -> None:
    """Create so many resources whose specs depend on their number."""

    def create(number: int) -> None:
        team.create(f"broken-{number}", metadata=_LET_GO, spec=spec(number))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(create, range(count)))


def seconds_to_post(team: Team, name: str) -> float:
    """Create a resource and return the seconds until its create request."""
    seen = team.simulator.last_sequence()
    started = time.monotonic()
    team.create(name, deploymentId=name, metadata=_LET_GO)

    def look() -> float | None:
        posts = team.journal("POST", "/deployments$", since=seen)
        return next((each.monotonic for each in posts if each.query["deploymentId"] == name), None)

    return team.eventually(look, "the create request was sent", name=name, within=60) - started

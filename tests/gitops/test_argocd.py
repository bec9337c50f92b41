"""The health checks in deploy/argocd, by the interpreter that Argo CD uses; `make gitops` runs it."""

import json

import pytest
import yaml

from testkit.states import all_states
from tests.gitops.generate import ARGOCD, HEALTH
from tests.gitops.programs import Lua
from tests.gitops.verdicts import ARGO_HEALTH, health_message, kstatus

CONFIG: dict[str, str] = yaml.safe_load((ARGOCD / "argocd-cm.yaml").read_text())["data"]


def test_the_health_of_every_state_is_what_the_page_says(argocd_lua: Lua) -> None:
    living = [each for each in all_states() if "deletionTimestamp" not in each.live()["metadata"]]
    found = argocd_lua.health(HEALTH.read_text(), [each.live() for each in living])
    assert {each.name: health for each, health in zip(living, found, strict=True)} == {
        each.name: {"status": ARGO_HEALTH[kstatus(each.live())], "message": health_message(each.live())}
        for each in living
    }


@pytest.mark.parametrize(
    ("status", "health"),
    [
        ({"sync": {"status": "Unknown"}, "health": {"status": "Healthy"}}, "Degraded"),
        ({"sync": {"status": "OutOfSync"}, "health": {"status": "Healthy"}}, "Progressing"),
        ({"sync": {"status": "Synced"}, "health": {"status": "Healthy"}}, "Healthy"),
        ({"sync": {"status": "Synced"}, "health": {"status": "Degraded"}}, "Degraded"),
        ({}, "Progressing"),
    ],
    ids=json.dumps,
)
def test_an_application_is_healthy_only_once_it_is_synced(
    argocd_lua: Lua, status: dict[str, object], health: str
) -> None:
    script = CONFIG["resource.customizations.health.argoproj.io_Application"]
    (found,) = argocd_lua.health(script, [{"kind": "Application", "status": status}])
    assert found["status"] == health

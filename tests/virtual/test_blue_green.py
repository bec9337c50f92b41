"""spec.replacePolicy BlueGreen: a successor serves before its former deployment goes; one always does, never three."""

import pytest

from tests.virtual.team import OTHER_MODEL, Json, Team, holds

H100, H200, B200 = "NVIDIA_H100_80GB", "NVIDIA_H200_141GB", "NVIDIA_B200_180GB"
BLUE_GREEN = {"type": "BlueGreen", "drain": "5m"}
DRAIN = 300.0
HOUR = 3600.0
OTHER_FIELDS: dict[str, dict[str, object]] = {
    "accelerator": {"acceleratorType": H200},
    "model": {"baseModel": OTHER_MODEL},
    "placement": {"placement": {"multiRegion": "EUROPE"}},
    "preemptible": {"preemptible": True},
}


def serve(team: Team, **spec: object) -> str:
    """Have a deployment serve that may be replaced; return its name."""
    team.create(spec={"replacePolicy": BLUE_GREEN, **spec})
    return str(team.until_ready()["status"]["deploymentName"])


def live(team: Team) -> dict[str, Json]:
    """Return the deployments that exist, by name."""
    return {each["name"]: each for each in team.deployments() if each["state"] not in ("DELETED", "DELETING")}


@pytest.mark.parametrize("field", OTHER_FIELDS)
def test_the_successor_serves_before_the_former_one_goes(team: Team, field: str) -> None:
    former = serve(team)
    told = team.told()
    team.change(**OTHER_FIELDS[field])
    team.until("chat", "Reconciling", "True", "Replacing", says=f"spec.{next(iter(OTHER_FIELDS[field]))} ")
    resource = team.until_ready()
    successor = resource["status"]["deploymentName"]
    assert successor != former
    assert resource["status"]["replacement"]["deploymentName"] == former
    assert set(live(team)) == {former, successor}
    team.wait(DRAIN + 60)
    assert set(live(team)) == {successor}
    resource = team.get()
    assert "replacement" not in resource["status"]
    for each in team.versions(since=told):
        assert holds(each, "Available") == "True"
        assert holds(each, "Stalled") == "False"
    team.assert_at_rest("chat")

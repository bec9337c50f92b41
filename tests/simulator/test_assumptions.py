"""Every switch for a guess about the real service makes the difference that it promises."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fireworks_simulator.faults import FaultKind
from fireworks_simulator.settings import Assumptions, Timing
from fireworks_simulator.testing import SimulatorClient
from tests.simulator.api import H100, LLAMA, SHAPELESS, Api, state_of
from tests.simulator.probes_account import ACCOUNT_SWITCHES

DEPLOYMENT = "accounts/acme/deployments/chat"
ADDON = "accounts/acme/models/tone"
SHAPES = "accounts/fireworks/deploymentShapes/"
DAY = 86_400
BODY = {"baseModel": LLAMA, "acceleratorType": H100}


def post(api: Api, omit: str = "", query: dict[str, str] | None = None, **fields: object) -> tuple[int, int]:
    """Status and code of a create; code 0 if it was accepted."""
    body = {name: value for name, value in {**BODY, **fields}.items() if name != omit}
    shapeless = {} if "deploymentShape" in body else SHAPELESS
    response = api.send("POST", "/deployments", body, **{"deploymentId": "chat", **shapeless, **(query or {})})
    return response.status_code, response.json().get("code", 0)


def patch(api: Api, mask: str, field: str, value: object) -> tuple[int, object]:
    """Status of a PATCH of one field, and what the answer says of it."""
    response = api.patch({field: value}, mask)
    return response.status_code, response.json().get(field)


def accelerator_required(api: Api, sim: SimulatorClient) -> object:
    return post(api, omit="acceleratorType")


def shapeless_risk_required(api: Api, sim: SimulatorClient) -> object:
    refused = post(api, query={"acceptShapelessRisk": "false"})
    return refused, post(api)[0] in (200, 409)


def shape_overrides(api: Api, sim: SimulatorClient) -> object:
    return post(api, omit="acceleratorType", deploymentShape=f"{SHAPES}llama-v3p1-8b-fast", precision="BF16")


def multi_lora_drops_shape(api: Api, sim: SimulatorClient) -> object:
    post(api, omit="acceleratorType", deploymentShape="default", enableAddons=True)
    found = api.get()
    return found.get("deploymentShape"), found["acceleratorType"]


def leading_digit_ids(api: Api, sim: SimulatorClient) -> object:
    return post(api, query={"deploymentId": "1st"})


def create_parked(api: Api, sim: SimulatorClient) -> object:
    return api.create(maxReplicaCount=0)["maxReplicaCount"]


def zero_is_absent_on_create(api: Api, sim: SimulatorClient) -> object:
    return post(api, draftModel="accounts/fireworks/models/llama-v3p2-1b-instruct", draftTokenCount=0)


def emit_zero_values(api: Api, sim: SimulatorClient) -> object:
    return api.create().get("displayName")


def materialise_autoscaling_defaults(api: Api, sim: SimulatorClient) -> object:
    policy = api.create(autoscalingPolicy={"scaleUpWindow": "5s"})["autoscalingPolicy"]
    return policy.get("scaleDownWindow") if isinstance(policy, dict) else None


def immutable_patch(api: Api, sim: SimulatorClient) -> object:
    api.create()
    return patch(api, "base_model", "baseModel", "accounts/fireworks/models/llama-v3p2-3b-instruct")


def accelerator_type_updatable(api: Api, sim: SimulatorClient) -> object:
    api.create()
    return patch(api, "accelerator_type", "acceleratorType", "NVIDIA_A100_80GB")


def bound_changes_roll_out(api: Api, sim: SimulatorClient) -> object:
    api.create()
    sim.advance(60)
    return api.patch({"maxReplicaCount": 3}, "max_replica_count").json()["state"]


def scale_out_of_bounds(api: Api, sim: SimulatorClient) -> object:
    api.create()
    status = api.send("PATCH", "/deployments/chat:scale", {"replicaCount": 9}).status_code
    return status, api.get()["desiredReplicaCount"]


def default_deployment_check(api: Api, sim: SimulatorClient) -> object:
    api.create()
    api.create("second")
    return api.delete().status_code


def ignore_checks_covers_default(api: Api, sim: SimulatorClient) -> object:
    api.create()
    api.create("second")
    return api.delete(ignoreChecks="true").status_code


def with_addon(api: Api, sim: SimulatorClient) -> int:
    sim.add_model(ADDON, kind="HF_PEFT_ADDON", baseModel=LLAMA)
    api.create(enableAddons=True)
    return api.send("POST", "/deployedModels", {"model": ADDON, "deployment": DEPLOYMENT}).status_code


def delete_with_addons(api: Api, sim: SimulatorClient) -> object:
    with_addon(api, sim)
    return api.delete().status_code, len(sim.deployed_models())


def addons_while_deleting(api: Api, sim: SimulatorClient) -> object:
    with_addon(api, sim)
    api.delete(ignoreChecks="true")
    return [each["state"] for each in sim.deployed_models()]


def scheduled(minimum: int) -> dict[str, object]:
    """An autoscaling policy with a schedule that is always active."""
    always = {"minReplicaCount": minimum, "schedule": "* * * * *", "duration": "600s", "timezone": "UTC"}
    return {"scaleDownWindow": "0s", "scalingSchedules": {"always": always}}


def schedule_below_minimum(api: Api, sim: SimulatorClient) -> object:
    api.create(minReplicaCount=3, autoscalingPolicy=scheduled(1))
    sim.advance(60)
    return api.get()["desiredReplicaCount"]


def schedules_of_parked(api: Api, sim: SimulatorClient) -> object:
    api.create(minReplicaCount=1, autoscalingPolicy=scheduled(1))
    bounds = {"minReplicaCount": 0, "maxReplicaCount": 0}
    return api.patch(bounds, "min_replica_count,max_replica_count").status_code


def direct_route_needs_region(api: Api, sim: SimulatorClient) -> object:
    return post(api, directRouteType="INTERNET")


def direct_route_api_keys_readable(api: Api, sim: SimulatorClient) -> object:
    placement = {"region": "US_IOWA_1"}
    route = api.create(directRouteType="INTERNET", directRouteApiKeys=["secret"], placement=placement)
    return route.get("directRouteApiKeys")


def state_while_preparing(api: Api, sim: SimulatorClient) -> object:
    sim.add_model("accounts/acme/models/own")
    api.value("POST", "/models/own:prepare", {"precision": "FP8"})
    return api.value("GET", "/models/own")["state"]


def load_while_not_ready(api: Api, sim: SimulatorClient) -> object:
    return with_addon(api, sim)


def delete_of_deleted(api: Api, sim: SimulatorClient) -> object:
    api.create()
    api.delete()
    return api.delete().status_code


def undelete_state(api: Api, sim: SimulatorClient) -> object:
    api.create()
    api.delete()
    sim.advance(10)
    state = api.value("POST", "/deployments/chat:undelete", {})["state"]
    sim.advance(60)
    return state, state_of(api.get())


def auto_delete(api: Api, sim: SimulatorClient) -> object:
    api.create()
    sim.advance(7 * DAY + 60)
    return api.send("GET", "/deployments/chat").status_code


def quota_status(api: Api, sim: SimulatorClient) -> object:
    sim.quota("global--h100-count", 0)
    return post(api)


def quota_before_exists(api: Api, sim: SimulatorClient) -> object:
    api.create()
    sim.quota("global--h100-count", 0)
    return post(api)


def validate_only_checks_quota(api: Api, sim: SimulatorClient) -> object:
    sim.quota("global--h100-count", 0)
    return post(api, query={"validateOnly": "true"})[0]


def missing_model_status(api: Api, sim: SimulatorClient) -> object:
    return post(api, baseModel="accounts/acme/models/nothing")


def missing_shape_status(api: Api, sim: SimulatorClient) -> object:
    return post(api, omit="acceleratorType", deploymentShape="nothing")


def unprepared_precision(api: Api, sim: SimulatorClient) -> object:
    status, _ = post(api, baseModel="accounts/fireworks/models/llama-v3p2-3b-instruct", precision="FP8")
    sim.advance(60)
    return status, [d["state"] for d in sim.deployments()]


def foreign_account_status(api: Api, sim: SimulatorClient) -> object:
    sim.add_account("globex", "fw_globex")
    return api.http.get("/v1/accounts/globex/deployments").status_code


def inference_only_key_status(api: Api, sim: SimulatorClient) -> object:
    sim.add_key("fw_inference", "inference-only")
    return api.http.get("/v1/accounts", headers={"Authorization": "Bearer fw_inference"}).status_code


def suspension_blocks_control_plane(api: Api, sim: SimulatorClient) -> object:
    sim.suspend()
    return api.send("GET", "/deployments").status_code, api.chat(DEPLOYMENT).status_code


def parked_inference_status(api: Api, sim: SimulatorClient) -> object:
    api.create(maxReplicaCount=0)
    sim.advance(60)
    return api.chat(DEPLOYMENT).status_code


def creating_inference_status(api: Api, sim: SimulatorClient) -> object:
    api.create()
    return api.chat(DEPLOYMENT).status_code


def routing_delay_seconds(api: Api, sim: SimulatorClient) -> object:
    api.create()
    sim.advance(60)
    first = api.chat(DEPLOYMENT).status_code
    sim.advance(30)
    return first, api.chat(DEPLOYMENT).status_code


def list_lag_seconds(api: Api, sim: SimulatorClient) -> object:
    api.create()
    first = api.listed()
    sim.advance(30)
    return first, api.listed()


def retry_after(api: Api, sim: SimulatorClient) -> object:
    api.create(autoscalingPolicy={"scaleToZeroWindow": "300s"})
    sim.advance(400)
    return api.chat(DEPLOYMENT).headers.get("retry-after")


def rate_limit_per_minute(api: Api, sim: SimulatorClient) -> object:
    statuses = [api.send("GET", "/deployments").status_code for _ in range(4)]
    return statuses.count(200), statuses.count(429)


Probe = Callable[[Api, SimulatorClient], object]
SWITCHES: dict[Probe, tuple[object, object, object]] = {
    accelerator_required: ((400, 3), False, (200, 0)),
    shapeless_risk_required: (((400, 3), True), False, ((200, 0), True)),
    shape_overrides: ((200, 0), "refuse", (400, 3)),
    multi_lora_drops_shape: ((f"{SHAPES}llama-v3p1-8b-minimal/versions/a1b2c3d4", H100), True, (None, H100)),
    leading_digit_ids: ((200, 0), False, (400, 3)),
    create_parked: (0, False, 1),
    emit_zero_values: (None, True, ""),
    materialise_autoscaling_defaults: (None, True, "600s"),
    immutable_patch: ((400, None), "ignore", (200, LLAMA)),
    accelerator_type_updatable: ((400, None), True, (200, "NVIDIA_A100_80GB")),
    bound_changes_roll_out: ("READY", True, "UPDATING"),
    scale_out_of_bounds: ((200, 1), "refuse", (400, 1)),
    default_deployment_check: (400, False, 200),
    ignore_checks_covers_default: (200, False, 400),
    delete_with_addons: ((400, 2), "unload", (200, 1)),
    zero_is_absent_on_create: ((400, 3), False, (200, 0)),
    addons_while_deleting: (["UNDEPLOYING"], "gone", []),
    schedule_below_minimum: (1, "ignore", 3),
    schedules_of_parked: (200, "refuse", 400),
    direct_route_needs_region: ((400, 3), False, (200, 0)),
    direct_route_api_keys_readable: (None, True, ["secret"]),
    state_while_preparing: ("READY", "PREPARING", "PREPARING"),
    load_while_not_ready: (200, "refuse", 400),
    delete_of_deleted: (404, "ok", 200),
    undelete_state: (("CREATING", ("READY", 1)), "UPDATING", ("UPDATING", ("READY", 1))),
    auto_delete: (200, "hard", 404),
    quota_status: ((429, 8), "403", (403, 7)),
    quota_before_exists: ((409, 6), True, (429, 8)),
    validate_only_checks_quota: (429, False, 200),
    missing_model_status: ((404, 5), "400", (400, 3)),
    missing_shape_status: ((404, 5), "400", (400, 3)),
    unprepared_precision: ((400, []), "fail", (200, ["FAILED"])),
    foreign_account_status: (403, "404", 404),
    inference_only_key_status: (401, "403", 403),
    suspension_blocks_control_plane: ((412, 412), False, (200, 412)),
    parked_inference_status: (404, "503", 503),
    creating_inference_status: (404, "503", 503),
    routing_delay_seconds: ((200, 200), 30, (404, 200)),
    list_lag_seconds: ((["chat"], ["chat"]), 30, ([], ["chat"])),
    retry_after: (None, True, "30"),
    rate_limit_per_minute: ((4, 0), 2, (2, 2)),
    **ACCOUNT_SWITCHES,
}
"""For each switch: what its probe sees by default, another setting, and what it sees then."""


@pytest.mark.parametrize("probe", SWITCHES, ids=lambda probe: probe.__name__)
def test_a_switch_makes_the_difference(sim: SimulatorClient, api: Api, probe: Probe) -> None:
    by_default, setting, changed = SWITCHES[probe]
    assert probe(api, sim) == by_default
    sim.reset()
    sim.assume(**{probe.__name__: setting})
    assert probe(api, sim) == changed


def test_every_switch_is_probed() -> None:
    assert [probe.__name__ for probe in SWITCHES if probe.__name__ not in Assumptions.model_fields] == []
    assert Assumptions.model_fields.keys() - {probe.__name__ for probe in SWITCHES} == set()


def test_unknown_switches_are_refused(sim: SimulatorClient) -> None:
    with pytest.raises(RuntimeError, match="400"):
        sim.assume(oops=True)
    with pytest.raises(RuntimeError, match="400"):
        sim.assume(quota_status="500", retry_after=True)
    assert sim.call("GET", "/assumptions")["retry_after"] is False


def test_the_documentation_names_every_switch_duration_and_fault() -> None:
    text = (Path(__file__).parents[2] / "docs/simulator.md").read_text()
    names = [f"--{name.replace('_', '-')}" for name in (*Assumptions.model_fields, *Timing.model_fields)]
    kinds = [f"`{kind.value}`" for kind in FaultKind]
    assert [name for name in (*names, *kinds) if name not in text] == []

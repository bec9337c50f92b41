"""LoRA addons: which step comes next, what the user sees of them, and when loading has taken too long."""

from datetime import timedelta

from fireworks_operator.core.actions import LoadAddon, Wait
from fireworks_operator.core.decide import decide
from fireworks_operator.core.notices import notices
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.report import report
from unit.builders import ADDON, NAME, NOW, a_context, a_deployment, a_resource, an_addon, present

SPEC = {"addons": [{"model": ADDON}]}
STATUS = {"deploymentName": NAME, "account": "acme", "appliedFields": ["baseModel", "enableAddons"]}
RECORDED = {**STATUS, "addons": [{"model": ADDON}]}


def test_an_addon_is_loaded_once_the_deployment_can_take_it() -> None:
    action = decide(a_resource(SPEC, STATUS), present(enableAddons=True), a_context())
    assert isinstance(action, LoadAddon)
    assert action.body == {"model": ADDON, "deployment": NAME}


def test_an_addon_that_is_loading_is_waited_for_and_looked_at_again_after_15_minutes() -> None:
    begun = NOW - timedelta(minutes=5)
    loading = an_addon(state="DEPLOYING", createTime=begun.isoformat())
    action = decide(a_resource(SPEC, RECORDED), present(loading, enableAddons=True), a_context())
    assert action == Wait(begun + timedelta(minutes=15))


def test_an_addon_that_never_becomes_ready_says_what_to_check_and_leaves_the_deployment_ready() -> None:
    begun = NOW - timedelta(minutes=16)
    observed = present(an_addon(state="DEPLOYING", createTime=begun.isoformat()), enableAddons=True)
    resource = a_resource(SPEC, RECORDED)
    action = decide(resource, observed, a_context())
    status = report(resource, observed, Outcome(action), a_context())
    conditions = {each.type: (each.status, each.reason) for each in status.conditions}
    assert action == Wait()
    assert conditions["AddonsReady"] == ("False", "AddonFailed")
    assert conditions["Ready"] == ("True", "Serving")
    assert status.addons is not None
    assert "base model" in (status.addons[0].message or "")


def test_what_an_observed_deployment_lacks_is_a_notice() -> None:
    resource = a_resource({"managementPolicy": "Observe", "maxReplicaCount": 7}, STATUS)
    assert "spec.maxReplicaCount is 7, the deployment has 3: not changed while managementPolicy is Observe." in notices(
        resource, a_deployment(maxReplicaCount=3), {}
    )

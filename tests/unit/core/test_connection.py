"""What applications are told, and what has to be done for the ConfigMap that they read it from."""

from datetime import timedelta
from typing import Any

import pytest

from fireworks_operator.api.v1alpha1 import (
    AddonStatus,
    ConnectionStatus,
    FireworksDeployment,
    FireworksDeploymentStatus,
)
from fireworks_operator.core.connection import ConnectionStep, connection_data, connection_notices, connection_step
from testkit.builders import NOW, a_resource

KNOWN = FireworksDeploymentStatus(
    deployment_name="accounts/acme/deployments/chat",
    model_identifier="accounts/acme/models/m#accounts/acme/deployments/chat",
    endpoint="https://api.fireworks.ai/inference/v1",
)
DATA = {
    "OPENAI_BASE_URL": "https://api.fireworks.ai/inference/v1",
    "OPENAI_MODEL": "accounts/acme/models/m#accounts/acme/deployments/chat",
    "FIREWORKS_DEPLOYMENT": "accounts/acme/deployments/chat",
}


def asking(name: str | None, status: FireworksDeploymentStatus = KNOWN, **connection: Any) -> FireworksDeployment:  # noqa: ANN401
    if connection:
        status = status.model_copy(update={"connection": ConnectionStatus(**connection)})
    return a_resource({} if name is None else {"connection": {"configMapName": name}}, status.to_wire())


def addon(model: str) -> AddonStatus:
    return AddonStatus(model=model, state="DEPLOYED", model_identifier=f"{model}#d")


def with_addons(*models: str) -> dict[str, str]:
    data = connection_data(KNOWN.model_copy(update={"addons": [addon(each) for each in models]}))
    assert data is not None
    return {key: value for key, value in data.items() if key not in DATA}


def test_an_application_is_told_what_a_client_of_openai_reads() -> None:
    assert connection_data(KNOWN) == DATA


@pytest.mark.parametrize("missing", ["deployment_name", "model_identifier", "endpoint"])
def test_nothing_is_told_before_all_of_it_is_known(missing: str) -> None:
    status = KNOWN.model_copy(update={missing: None})
    assert connection_data(status) is None
    assert connection_step(asking("c", status)) is None


def test_addons_are_told_under_names_of_environment_variables() -> None:
    assert with_addons("accounts/acme/models/tone-v1.2") == {
        "FIREWORKS_ADDON_TONE_V1_2": "accounts/acme/models/tone-v1.2#d"
    }


def test_addons_of_the_same_id_are_told_apart_by_their_accounts() -> None:
    assert with_addons("accounts/a/models/tone", "accounts/b/models/tone", "accounts/b/models/style") == {
        "FIREWORKS_ADDON_A_TONE": "accounts/a/models/tone#d",
        "FIREWORKS_ADDON_B_TONE": "accounts/b/models/tone#d",
        "FIREWORKS_ADDON_STYLE": "accounts/b/models/style#d",
    }


def test_an_addon_that_is_not_loaded_is_not_told() -> None:
    assert connection_data(KNOWN.model_copy(update={"addons": [AddonStatus(model="accounts/a/models/t")]})) == DATA


def test_hostile_ids_lead_to_keys_that_kubernetes_takes() -> None:
    keys = with_addons("accounts/a/models/" + "x" * 600, "accounts/a/models/ä\n=é", "")
    assert all(len(key) <= 253 and key.replace("_", "").isalnum() and key.isascii() for key in keys)


def test_what_is_wanted_is_written_and_remembered() -> None:
    step = connection_step(asking("c"))
    assert step == ConnectionStep("c", DATA, None)
    assert step.done is not None
    assert step.done.config_map_name == "c"
    assert step.done != ConnectionStep("c", {**DATA, "OPENAI_MODEL": "m"}, None).done


def test_the_former_one_goes_once_the_new_one_is_written() -> None:
    assert connection_step(asking("new", config_map_name="old", hash="1")) == ConnectionStep("new", DATA, "old")
    assert connection_step(asking("old", config_map_name="old", hash="1")) == ConnectionStep("old", DATA, None)


def test_the_former_one_goes_with_the_field() -> None:
    step = connection_step(asking(None, config_map_name="old", hash="1"))
    assert step == ConnectionStep(None, {}, "old")
    assert step.done is None
    assert connection_step(asking(None)) is None


def test_a_name_is_remembered_before_anything_is_written_under_it() -> None:
    written = ConnectionStatus(config_map_name="old", hash="1")
    assert ConnectionStep("new", DATA, "old").announced(written) == ConnectionStatus(
        config_map_name="old", hash="1", pending_config_map_name="new"
    )
    assert ConnectionStep("c", DATA, None).announced(None) == ConnectionStatus(pending_config_map_name="c")
    assert ConnectionStep("old", DATA, None).announced(written) is written, "it is known: nothing to write"
    assert ConnectionStep(None, {}, "old").announced(written) is written


@pytest.mark.parametrize(
    ("wanted", "former", "stale"),
    [("third", "old", "new"), ("new", "old", None), ("old", None, "new"), (None, "old", "new")],
)
def test_what_may_have_been_written_under_another_name_is_deleted(
    wanted: str | None, former: str | None, stale: str | None
) -> None:
    step = connection_step(asking(wanted, config_map_name="old", hash="1", pending_config_map_name="new"))
    assert step is not None
    assert (step.name, step.former, step.stale) == (wanted, former, stale)
    assert step.done is None or step.done.pending_config_map_name is None


def test_the_former_one_stays_known_while_the_new_one_is_refused() -> None:
    before = ConnectionStatus(config_map_name="old", hash="1")
    after = ConnectionStep("new", DATA, "old").refused(before, "taken")
    assert after == ConnectionStatus(config_map_name="old", hash="1", message="taken")


def test_it_stays_while_the_deployment_is_down_and_goes_with_its_resource() -> None:
    down = KNOWN.model_copy(update={"model_identifier": None})
    assert connection_step(asking("c", down, config_map_name="c", hash="1")) is None
    resource = asking("c", config_map_name="c", hash="1")
    metadata = resource.metadata.model_copy(update={"deletion_timestamp": NOW - timedelta(minutes=1)})
    assert connection_step(resource.model_copy(update={"metadata": metadata})) is None


def test_what_is_wrong_is_a_notice() -> None:
    assert connection_notices(KNOWN) == []
    assert connection_notices(asking("c", message="taken").status) == ["spec.connection: taken"]

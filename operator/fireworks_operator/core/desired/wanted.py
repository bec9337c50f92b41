"""What a spec asks of its deployment: a value with a revision, and the create request made of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from pydantic import JsonValue

from fireworks_operator.api.v1alpha1 import (
    Addon,
    FireworksDeployment,
    FireworksDeploymentSpec,
    Placement,
    ScalingSchedule,
)
from fireworks_operator.core.identity import TAG_ADOPTED, Owner, full_model_name

from .choices import chosen_spec
from .durations import wire_duration
from .fields import FIELD_BY_PATH, ROUTE_TYPE, SCHEDULES, TAGS, ChangeRule, fields_at, put
from .shapes import DEFAULT_SHAPE


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a resource asks of its deployment.

    Attributes:
        revision: changes whenever something else is wanted than before. Pauses after refusals, and what was seen to
            be in force, hold for one revision only.
        values: field paths to wire values, only of fields that the user set.
        disable_speculative_decoding, disable_auto_deploy: parameters of the create request, no fields of the
            deployment.
        addons: the addons by the full names of their models.
    """

    revision: int
    values: Mapping[str, JsonValue]
    disable_speculative_decoding: bool | None
    disable_auto_deploy: bool | None
    addons: Mapping[str, Addon]

    @property
    def names_hardware(self) -> bool:
        """Whether the spec says what the replicas run on; Fireworks refuses most models otherwise."""
        return not self.values.keys().isdisjoint({"acceleratorType", "deploymentShape"})

    def create_body(self, owner: Owner, *, default_shape: bool = True) -> dict[str, JsonValue]:
        """Return the body of a create request: the user's fields and the owner marker.

        With `default_shape`, Fireworks chooses the shape where the spec names no hardware. Fields that the spec sets
        go along: Fireworks refuses to override them and names those that conflict (Fireworks documentation,
        deployment shapes). The choice is not the user's, so it is never compared with what is in force.
        """
        body: dict[str, JsonValue] = {}
        for field in fields_at(self.values):
            put(body, field.wire, self.values[field.path])
        if default_shape and not self.names_hardware:
            put(body, FIELD_BY_PATH["deploymentShape"].wire, DEFAULT_SHAPE)
        for tag, text in {**owner.marker(), TAG_ADOPTED: "false"}.items():
            put(body, ("annotations", tag), text)
        return body

    def create_query(self, settings: Mapping[str, str], *, default_shape: bool = True) -> dict[str, str]:
        """Return the create request's query parameters, the deployment id aside.

        `settings` are those that the operator adds to every request. Accepting the risk of a create without a
        shape excludes a shape (Fireworks documentation, deployment shapes).
        """
        query = dict(settings)
        if "deploymentShape" in self.values or (default_shape and not self.names_hardware):
            query.pop("acceptShapelessRisk", None)
        if self.disable_speculative_decoding is not None:
            query["disableSpeculativeDecoding"] = str(self.disable_speculative_decoding).lower()
        if self.disable_auto_deploy is not None:
            query["disableAutoDeploy"] = str(self.disable_auto_deploy).lower()
        return query


def fingerprint(wanted: Wanted) -> str:
    """Return by what it is known again what is wanted of the fields that Fireworks cannot change in place."""
    values = {
        each.path: wanted.values[each.path] for each in fields_at(wanted.values) if each.change is ChangeRule.REPLACE
    }
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def want(resource: FireworksDeployment, account: str | None, spec: FireworksDeploymentSpec | None = None) -> Wanted:
    """Translate what a resource asks for; without an account, bare ids of models stay as they are.

    `spec`: its spec with the hardware of another choice than the one that was made.
    """
    return Wanted(
        revision(resource),
        wire_values(chosen_spec(resource) if spec is None else spec, account),
        resource.spec.disable_speculative_decoding,
        resource.spec.disable_auto_deploy,
        {full_model_name(account, addon.model): addon for addon in resource.spec.addons or ()},
    )


def revision(resource: FireworksDeployment) -> int:
    """Return the revision of what a resource asks for now."""
    return resource.metadata.generation


def is_new(resource: FireworksDeployment) -> bool:
    """Tell whether the status is about an earlier revision: a change is the user's then, and no drift."""
    return resource.status.observed_generation != revision(resource)


def wire_values(spec: FireworksDeploymentSpec, account: str | None) -> dict[str, JsonValue]:
    """Return the wire values of what a spec sets, by field path; a malformed duration stays as it is, to be refused."""
    policy = spec.autoscaling_policy
    values: dict[str, JsonValue | None] = {
        "baseModel": full_model_name(account, spec.base_model),
        "displayName": spec.display_name,
        "description": spec.description,
        "acceleratorType": spec.accelerator_type,
        "acceleratorCount": spec.accelerator_count,
        "minReplicaCount": spec.min_replica_count,
        "maxReplicaCount": spec.max_replica_count,
        "maxWithRevocableReplicaCount": spec.max_with_revocable_replica_count,
        "draftModel": full_model_name(account, spec.draft_model) if spec.draft_model else spec.draft_model,
        "draftTokenCount": spec.draft_token_count,
        "ngramSpeculationLength": spec.ngram_speculation_length,
        "precision": spec.precision,
        "longPrompt": spec.long_prompt,
        "enableAddons": True if spec.addons and not spec.enable_hot_reload_latest_addon else spec.enable_addons,
        "enableHotReloadLatestAddon": spec.enable_hot_reload_latest_addon,
        "placement": _placement(spec.placement),
        ROUTE_TYPE: spec.direct_route.type if spec.direct_route is not None else None,
        "deploymentShape": spec.deployment_shape,
        "numPeftDeviceCached": spec.num_peft_device_cached,
        "maxContextLength": spec.max_context_length,
        "maxConcurrencyPerReplica": spec.max_concurrency_per_replica,
        "enableSessionAffinity": spec.enable_session_affinity,
        "preemptible": spec.preemptible,
    }
    if policy is not None:
        values |= {
            "autoscalingPolicy.scaleUpWindow": _window(policy.scale_up_window),
            "autoscalingPolicy.scaleDownWindow": _window(policy.scale_down_window),
            "autoscalingPolicy.scaleToZeroWindow": _window(policy.scale_to_zero_window),
            "autoscalingPolicy.loadTargets": dict(policy.load_targets) if policy.load_targets else None,
        }
        schedules = policy.scaling_schedules or {}
        values |= {f"{SCHEDULES}{name}": _schedule(each) for name, each in schedules.items()}
    values |= {f"{TAGS}{key}": text for key, text in (spec.tags or {}).items()}
    return {path: value for path, value in values.items() if value is not None}


def _window(text: str | None) -> str | None:
    try:
        return None if text is None else wire_duration(text)
    except ValueError:
        return text


def _schedule(schedule: ScalingSchedule) -> JsonValue:
    wire: dict[str, JsonValue] = schedule.to_wire()
    return wire | {"duration": _window(schedule.duration)}


def _placement(placement: Placement | None) -> JsonValue | None:
    if placement is None:
        return None
    wire: dict[str, JsonValue] = placement.to_wire()
    return wire

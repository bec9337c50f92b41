"""What contradicts itself in a spec and the API server cannot check."""

from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.core.desired.durations import parse_duration
from fireworks_operator.core.desired.parking import contradiction_of_lifetime
from fireworks_operator.core.identity import full_model_name

from .entries import contradiction_of_schedules, contradiction_of_tags
from .preparation import contradiction_of_preparation


def contradiction(resource: FireworksDeployment, account: str) -> str | None:
    """Return what is wrong, in words; None if nothing is. Names may be equal only once the account is known."""
    base = full_model_name(account, resource.spec.base_model)
    seen: set[str] = set()
    for addon in resource.spec.addons or ():
        name = full_model_name(account, addon.model)
        if name == base:
            return f'spec.addons contains the base model "{addon.model}": remove that entry.'
        if name in seen:
            return f'spec.addons lists the model "{name}" twice, once by its bare id: remove one of the two entries.'
        seen.add(name)
    policy = resource.spec.autoscaling_policy
    windows = (
        (policy.scale_up_window, policy.scale_down_window, policy.scale_to_zero_window) if policy is not None else ()
    )
    try:
        for window in windows:
            parse_duration(window or "0s")
    except ValueError as error:
        return f"spec.autoscalingPolicy: {error}."
    return (
        contradiction_of_lifetime(resource.spec)
        or contradiction_of_tags(resource.spec)
        or contradiction_of_schedules(resource.spec)
        or contradiction_of_preparation(resource.spec, account)
    )

"""Whole manifests: some that must be accepted, some that break a rule, some that are nonsense."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from fireworks_operator.api.crd import crd
from fireworks_operator.api.kinds import DEPLOYMENTS
from tests.fuzz.schema import ANYTHING, accepted, hostile

Spec = dict[str, Any]

_SPEC: Spec = crd(DEPLOYMENTS)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
_FIELDS: Spec = _SPEC["properties"]
_REQUIRED = tuple(_SPEC["required"])
_OPTIONAL = sorted(set(_FIELDS) - set(_REQUIRED))
_QUANTISED = ("FP8", "FP4", "NF4")
_SIXTEEN_BIT_ONLY = ("NVIDIA_A100", "AMD_MI300X")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A spec and a name as a user may write them; `sound` ones keep to every rule of the CRD."""

    name: Any
    spec: Any
    sound: bool

    def body(self, namespace: str, suffix: str = "") -> dict[str, Any]:
        """Return the resource; a suffix makes names of a batch unique."""
        name = f"{self.name}{suffix}" if isinstance(self.name, str) else self.name
        return {
            "apiVersion": "fireworks.ai/v1alpha1",
            "kind": "FireworksDeployment",
            "metadata": {"name": name, "namespace": namespace},
            "spec": self.spec,
        }


def _within_bounds(spec: Spec) -> Spec:
    """Return the spec with bounds in order, one merged addon at most, and nothing prepared that cannot be."""
    spec = {**spec}
    if spec.get("maxReplicaCount", 1000) < spec.get("minReplicaCount", 0):
        del spec["maxReplicaCount"]
    if 0 < spec.get("maxWithRevocableReplicaCount", 0) < spec.get("maxReplicaCount", 0):
        del spec["maxWithRevocableReplicaCount"]
    if spec.get("enableHotReloadLatestAddon") and spec.get("addons"):
        spec["addons"] = spec["addons"][:1]
    if "precision" not in spec or spec.get("baseModel", "").startswith("accounts/fireworks/"):
        spec.pop("prepareModel", None)
    return spec


def reconciled_with_rules(spec: Spec) -> Spec:
    """Return the spec with what contradicts the CRD's rules over several fields taken out."""
    spec = _within_bounds(spec)
    most = spec.get("maxReplicaCount", max(spec.get("minReplicaCount", 0), 1))
    schedules = spec.get("autoscalingPolicy", {}).get("scalingSchedules", {})
    if any(each["minReplicaCount"] > most for each in schedules.values()):
        spec["autoscalingPolicy"] = {k: v for k, v in spec["autoscalingPolicy"].items() if k != "scalingSchedules"}
    spec.pop("fallbacks", None)  # whose many rules about each other have rows of their own (tests/crd)
    if "draftModel" in spec:
        spec.pop("ngramSpeculationLength", None)
    if "draftModel" in spec or spec.get("ngramSpeculationLength"):
        spec.setdefault("draftTokenCount", 3)
        spec.pop("disableSpeculativeDecoding", None)
    if spec.get("addons"):
        spec.pop("enableAddons", None)
    if spec.get("longPrompt") and spec.get("acceleratorCount") == 1:
        spec["acceleratorCount"] = 2
    if "deploymentShape" in spec:
        spec.pop("acceleratorType", None)
    sixteen_bit = spec.get("addons") or spec.get("enableAddons")
    sixteen_bit = sixteen_bit or spec.get("acceleratorType", "").startswith(_SIXTEEN_BIT_ONLY)
    if sixteen_bit and spec.get("precision", "").startswith(_QUANTISED):
        del spec["precision"]
        spec.pop("prepareModel", None)
    if "directRoute" in spec:
        spec["placement"] = {"region": "US_IOWA_1"}
        spec["directRoute"] = {"apiKeysSecretRef": {"name": "route"}, **spec["directRoute"]}
    if "placement" in spec:
        spec["placement"] = dict(sorted(spec["placement"].items())[:1]) or {"multiRegion": "US"}
    return spec


@st.composite
def _specs(draw: st.DrawFn, most_fields: int = len(_OPTIONAL)) -> Spec:
    """Return specs that are within each field's own bounds."""
    chosen = draw(st.lists(st.sampled_from(_OPTIONAL), max_size=most_fields, unique=True))
    return {name: draw(accepted(_FIELDS[name])) for name in (*_REQUIRED, *chosen)}


@st.composite
def _spoilt(draw: st.DrawFn) -> Spec:
    """Return specs with one or two fields that are wrong in themselves, missing, or not known."""
    spec = draw(_specs(most_fields=4))
    for name in draw(st.lists(st.sampled_from(sorted(_FIELDS)), min_size=1, max_size=2, unique=True)):
        spec[name] = draw(hostile(_FIELDS[name]))
    if draw(st.integers(0, 9)) == 0:
        spec.pop("baseModel")
    if draw(st.integers(0, 9)) == 0:
        spec[draw(st.text(max_size=10))] = draw(ANYTHING)
    return spec


_LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,12}[a-z0-9])?", fullmatch=True)
NAMES = st.lists(_LABEL, min_size=1, max_size=3).map(".".join)
"""Names that leave room for a suffix of 16 characters."""
_ODD_NAMES = st.sampled_from(["", "UPPER", "a..b", "-a", "a" * 64, "a" * 254, "über", 7, None, ["a"], "a/b", "a\n"])

sound = st.builds(Manifest, NAMES, _specs(most_fields=6).map(reconciled_with_rules), st.just(True)) | st.builds(
    Manifest, NAMES, _specs().map(reconciled_with_rules), st.just(True)
)
"""Manifests that must be accepted."""

anything = (
    sound
    | st.builds(Manifest, NAMES, _specs(), st.just(False))
    | st.builds(Manifest, NAMES, _spoilt(), st.just(False))
    | st.builds(Manifest, NAMES | _ODD_NAMES, _specs(most_fields=2) | ANYTHING, st.just(False))
)
"""Manifests of every kind, also such as no user would write."""


def _made_to_serve(spec: Spec) -> Spec:
    """Return the spec with what Fireworks has, so that most of it comes into force."""
    spec = {**spec, "baseModel": "accounts/fireworks/models/llama-v3p1-8b-instruct"}
    if "deploymentShape" not in spec:
        spec["acceleratorType"] = "NVIDIA_H100_80GB"
    if "credentialsSecretRef" in spec:
        spec["credentialsSecretRef"] = {"name": "fireworks"}
    for name in ("acceleratorCount", "minReplicaCount", "maxReplicaCount"):
        if name in spec:
            spec[name] = min(spec[name], 4)
    return reconciled_with_rules(spec)


to_reconcile = sound | st.builds(Manifest, NAMES, _specs(most_fields=5).map(_made_to_serve), st.just(True))
"""Sound manifests of which a good part can serve."""

"""What the service checks of a deployment's configuration, and what it fills in."""

import re
import unicodedata
import zlib
from collections.abc import Mapping

from fireworks_simulator.catalogue import Catalogue, Model
from fireworks_simulator.policies import check_policy
from fireworks_simulator.regions import first_region
from fireworks_simulator.schema import ACCELERATORS
from fireworks_simulator.settings import Assumptions
from fireworks_simulator.shapes import Shape
from fireworks_simulator.wire import ApiError, Code, JsonObject, invalid, snake

_ID = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_TAG_KEY = re.compile(r"custom/[A-Za-z0-9]([A-Za-z0-9-_./]{0,119}[A-Za-z0-9])?")
_SIXTEEN_BIT = ("FP16", "BF16")
_MAX_REPLICAS = 1000
_ADDONS_QUANTISED = "addons cannot be enabled with quantized precisions (FP8/FP4)"


def check_id(deployment_id: str, assumptions: Assumptions, *, kind: str = "deployment") -> None:
    """Refuse ids that are not 1-63 characters of a-z, 0-9 and inner hyphens."""
    leading_digit = deployment_id[:1].isdigit() and not assumptions.leading_digit_ids
    if not _ID.fullmatch(deployment_id) or leading_digit:
        raise invalid(
            f'invalid {kind} id "{deployment_id}": must be 1-63 characters of a-z, 0-9 and hyphens, and must '
            "not begin or end with a hyphen"
        )


def check_tags(tags: Mapping[str, object]) -> None:
    """Refuse annotations outside `custom/` (403) and malformed ones (400)."""
    for key, value in tags.items():
        if not key.startswith("custom/"):
            raise ApiError(
                Code.PERMISSION_DENIED, f'annotation "{key}" is not allowed: only keys beginning with custom/ are'
            )
        if not _TAG_KEY.fullmatch(key):
            raise invalid(f'invalid annotation key "{key}"')
        text = str(value)
        if not 1 <= len(text) <= 128 or text != text.strip() or _has_control(text):
            raise invalid(f'invalid value of annotation "{key}": must be 1-128 characters')
    if len(tags) > 64:
        raise invalid("a deployment can have at most 64 annotations")


def _has_control(text: str) -> bool:
    return any(unicodedata.category(character) == "Cc" for character in text)


class ConfigRules:
    """Checks and completes configurations against a catalogue."""

    def __init__(self, catalogue: Catalogue, assumptions: Assumptions) -> None:
        self._catalogue = catalogue
        self._assumptions = assumptions

    def complete(
        self, given: JsonObject, account: str, now: float, *, speculation_disabled: bool, shapeless_risk: bool
    ) -> JsonObject:
        """The configuration that a create results in.

        Args:
            given: writable fields of the request.
            account: account id.
            now: virtual time.
            speculation_disabled: query parameter disableSpeculativeDecoding.
            shapeless_risk: query parameter acceptShapelessRisk.

        Raises:
            ApiError: the configuration is refused.
        """
        config = dict(given)
        model = self.model(_text(config, "baseModel"), account, now)
        base = self._catalogue.base_of(model)
        shape = self._shape(config, base, account, shapeless_risk=shapeless_risk)
        if shape is not None:
            config["deploymentShape"] = shape.version_name
            if self._assumptions.multi_lora_drops_shape and config.get("enableAddons") is True:
                del config["deploymentShape"]
            for name, value in shape.settings.items():
                config.setdefault(name, value)
        self._fill_hardware(config, base)
        self._fill_speculation(config, base, speculation_disabled=speculation_disabled)
        minimum = _number(config, "minReplicaCount")
        unset = "maxReplicaCount" not in config or not (
            _number(config, "maxReplicaCount") or self._assumptions.create_parked
        )
        if unset:
            config["maxReplicaCount"] = max(minimum, 1)
        self.check(config, account, now)
        self._fill_placement(config)
        config["activeModelVersion"] = config["targetModelVersion"] = model_version(model)
        return config

    def model(self, name: str, account: str, now: float) -> Model:
        """The model to deploy.

        Raises:
            ApiError: none is named, it does not exist, is not readable or not ready.
        """
        if not name:
            raise invalid("base_model is required")
        if not re.fullmatch(r"accounts/[^/]+/models/[^/]+", name):
            raise invalid(f'invalid base_model "{name}": must be of the form accounts/<ACCOUNT>/models/<MODEL>')
        model = self._catalogue.readable(name, account, now)
        if model is None:
            message = f"model {name} not found"
            not_found = self._assumptions.missing_model_status == "404"
            raise ApiError(Code.NOT_FOUND if not_found else Code.INVALID_ARGUMENT, message)
        if model.state != "READY":
            raise invalid(f"model {name} is not ready")
        return model

    def check(self, config: JsonObject, account: str, now: float) -> None:
        """Refuse a configuration that the service would not accept.

        Raises:
            ApiError: the first rule that is broken.
        """
        model = self.model(_text(config, "baseModel"), account, now)
        base = self._catalogue.base_of(model)
        _check_texts(config)
        _check_bounds(config)
        check_policy(
            config.get("autoscalingPolicy"),
            _number(config, "maxReplicaCount"),
            parked_may_have_schedules=self._assumptions.schedules_of_parked == "accept",
        )
        _check_placement(config)
        self._check_direct_route(config)
        self._check_hardware(config, base)
        self._check_speculation(config, account, now)
        self._check_addons(config, model, base, account, now)
        self._check_precision(config, base)

    def unprepared(self, config: JsonObject) -> bool:
        """Whether the precision is one that the model was not prepared for."""
        model = self._catalogue.models.get(_text(config, "baseModel"))
        precision = _text(config, "precision")
        return model is not None and precision not in ("", *self._catalogue.base_of(model).supported_precisions)

    def _shape(self, config: JsonObject, base: Model, account: str, *, shapeless_risk: bool) -> Shape | None:
        text = _text(config, "deploymentShape")
        if not text:
            if self._assumptions.shapeless_risk_required and not shapeless_risk and base.kind != "EMBEDDING_MODEL":
                raise invalid("deployment_shape must be specified, or accept_shapeless_risk set to true")
            return None
        if shapeless_risk:
            raise invalid("accept_shapeless_risk cannot be used together with deployment_shape")
        if _accelerator(config):
            raise invalid("accelerator_type cannot be specified together with deployment_shape")
        return self.find_shape(text, base.name, account, config)

    def find_shape(self, text: str, base_model: str, account: str, config: JsonObject) -> Shape:
        """The shape that `text` means for a base model: a full name, a version's full name, or a word.

        Args:
            text: the field deploymentShape.
            base_model: full name of the base model.
            account: account id.
            config: what else is asked for; `default` chooses a shape that fits, and no word overrides any of it.

        Raises:
            ApiError: there is none, or it does not fit.
        """
        named = "/" in text
        found = [self._catalogue.shape(text, account)] if named else self._by_word(text, base_model, account)
        shapes = [shape for shape in found if shape is not None]
        if not shapes:
            not_found = self._assumptions.missing_shape_status == "404"
            raise ApiError(
                Code.NOT_FOUND if not_found else Code.INVALID_ARGUMENT,
                "the deployment shape version does not exist or you do not have access to it",
            )
        if shapes[0].model != base_model:
            raise invalid(f"deployment shape {text} is for base model {shapes[0].model}, not {base_model}")
        fitting = [shape for shape in shapes if not shape.conflicts(config)]
        if fitting:
            return fitting[0]
        if named and self._assumptions.shape_overrides == "accept":
            return shapes[0]
        raise invalid(f"deployment shape {text} conflicts with: {', '.join(shapes[0].conflicts(config))}")

    def _by_word(self, word: str, base_model: str, account: str) -> list[Shape | None]:
        """The shapes that a word stands for, the likeliest first."""
        found = self._catalogue.matching(base_model, account, addons=False)
        return [shape for shape in found if word == "default" or shape.preset.lower() == word]

    def _fill_hardware(self, config: JsonObject, base: Model) -> None:
        if not _accelerator(config):
            if self._assumptions.accelerator_required and base.kind != "EMBEDDING_MODEL":
                raise invalid("accelerator_type must be specified for non-embeddings engines")
            config["acceleratorType"] = "NVIDIA_A100_80GB"
        if _text(config, "precision") in ("", "PRECISION_UNSPECIFIED"):
            config["precision"] = base.default_precision
        if not _number(config, "acceleratorCount"):
            config["acceleratorCount"] = estimate_gpus(config, base)

    def _fill_speculation(self, config: JsonObject, base: Model, *, speculation_disabled: bool) -> None:
        chosen = ("draftModel", "draftTokenCount", "ngramSpeculationLength")
        if speculation_disabled or not base.default_draft_model or any(name in config for name in chosen):
            return
        config["draftModel"] = base.default_draft_model
        config["draftTokenCount"] = base.default_draft_token_count

    def _fill_placement(self, config: JsonObject) -> None:
        placement = config.setdefault("placement", {"multiRegion": "GLOBAL"})
        config["region"] = first_region(placement, _accelerator(config))

    def _check_direct_route(self, config: JsonObject) -> None:
        """A direct route leads to one region."""
        if _text(config, "directRouteType") in ("", "DIRECT_ROUTE_TYPE_UNSPECIFIED"):
            return
        placement = config.get("placement")
        region = placement.get("region") if isinstance(placement, dict) else None
        if self._assumptions.direct_route_needs_region and not region:
            raise invalid("direct_route_type requires placement.region to be set")

    def _check_hardware(self, config: JsonObject, base: Model) -> None:
        accelerator = _accelerator(config)
        if _number(config, "acceleratorCount") < 0:
            raise invalid("accelerator_count must be greater than or equal to 0")
        moe_on_mi300x = base.moe and accelerator == "AMD_MI300X_192GB"
        if accelerator in base.unsupported_accelerators or moe_on_mi300x:
            raise invalid(f"invalid deployment: model type {base.model_type} is not supported on {accelerator}")
        if base.required_accelerators and accelerator not in base.required_accelerators:
            allowed = ", ".join(base.required_accelerators)
            raise invalid(f"invalid deployment: model type {base.model_type} requires one of: {allowed}")

    def _check_speculation(self, config: JsonObject, account: str, now: float) -> None:
        draft = _text(config, "draftModel")
        ngram = _number(config, "ngramSpeculationLength")
        if draft and ngram:
            raise invalid("draft_model and ngram_speculation_length cannot be used together")
        if (draft or ngram) and "draftTokenCount" not in config:
            raise invalid("draft_token_count must be set when draft_model or ngram_speculation_length is used")
        if _number(config, "draftTokenCount") < 0 or ngram < 0:
            raise invalid("draft_token_count and ngram_speculation_length must be greater than or equal to 0")
        if draft and self._catalogue.readable(draft, account, now) is None:
            raise invalid(f"draft model {draft} not found")

    def _check_addons(self, config: JsonObject, model: Model, base: Model, account: str, now: float) -> None:
        addons = config.get("enableAddons") is True
        if model.addon and not base.supports_live_merge:
            raise invalid(
                "live merge is not supported for this deployment configuration; choose a deployment shape that "
                "supports live merge, or use multi-lora (enable_addons=true) instead of live merge for LoRA "
                "fine-tuning"
            )
        if not addons:
            return
        if not base.supports_lora:
            raise invalid("addons are not supported for this model")
        if _text(config, "precision") not in _SIXTEEN_BIT:
            raise invalid(f"invalid deployment: {_ADDONS_QUANTISED}")
        draft = self._catalogue.readable(_text(config, "draftModel"), account, now)
        if draft is not None and draft.default_precision not in _SIXTEEN_BIT:
            raise invalid(f"draft model precision validation failed: {_ADDONS_QUANTISED}")

    def _check_precision(self, config: JsonObject, base: Model) -> None:
        if self._assumptions.unprepared_precision == "refuse" and self.unprepared(config):
            precision = _text(config, "precision")
            raise invalid(
                f"invalid deployment: precision {precision} is not supported for model {base.name}; "
                "prepare the model for it first"
            )


def model_version(model: Model) -> str:
    """The only version that a model has here: an id that depends on its name."""
    return f"{zlib.crc32(model.name.encode()):08x}"


def estimate_gpus(config: JsonObject, base: Model) -> int:
    """The smallest power of two of GPUs that holds the model; twice that for long prompts."""
    precision = _text(config, "precision")
    width = 2.0 if precision in _SIXTEEN_BIT else 0.5 if "4" in precision else 1.0
    memory = ACCELERATORS.get(_accelerator(config), 80)
    needed = base.parameters * width * 1.2 / memory
    count = 1
    while count < needed:
        count *= 2
    tune = config.get("autoTune")
    long_prompt = isinstance(tune, dict) and tune.get("longPrompt") is True
    return count * 2 if long_prompt else count


def quota_id(config: JsonObject) -> str:
    """Which quota the GPUs of a deployment count against, e.g. `global--h100-count`."""
    gpu = _accelerator(config).split("_")[1].lower() if "_" in _accelerator(config) else "gpu"
    placement = config.get("placement")
    if not isinstance(placement, dict):
        return f"global--{gpu}-count"
    regions = placement.get("regions")
    region = regions[0] if isinstance(regions, list) and regions else placement.get("region")
    if isinstance(region, str):
        return f"{gpu}-{region.lower().replace('_', '-')}"
    group = placement.get("multiRegion", "GLOBAL")
    return f"{str(group).lower()}--{gpu}-count"


def _check_texts(config: JsonObject) -> None:
    if len(_text(config, "displayName")) > 63:
        raise invalid("display_name must be fewer than 64 characters")
    if len(_text(config, "description")) > 999:
        raise invalid("description must be fewer than 1000 characters")
    for name in ("maxContextLength", "maxConcurrencyPerReplica", "numPeftDeviceCached"):
        if _number(config, name) < 0:
            raise invalid(f"{snake(name)} must be greater than or equal to 0")


def _check_bounds(config: JsonObject) -> None:
    minimum, maximum = _number(config, "minReplicaCount"), _number(config, "maxReplicaCount")
    if minimum < 0:
        raise invalid("min_replica_count must be greater than or equal to 0")
    if not 0 <= maximum <= _MAX_REPLICAS:
        raise invalid(f"max_replica_count must be between 0 and {_MAX_REPLICAS}")
    if maximum != 0 and minimum > maximum:
        raise invalid("min_replica_count cannot be greater than max_replica_count")
    revocable = _number(config, "maxWithRevocableReplicaCount")
    if revocable != 0 and revocable < maximum:
        raise invalid("max_with_revocable_replica_count cannot be less than max_replica_count")


def _check_placement(config: JsonObject) -> None:
    placement = config.get("placement")
    if isinstance(placement, dict) and sum(bool(value) for value in placement.values()) > 1:
        raise invalid("placement: exactly one of region, multi_region and regions must be set")


def _accelerator(config: JsonObject) -> str:
    name = _text(config, "acceleratorType")
    return "" if name == "ACCELERATOR_TYPE_UNSPECIFIED" else name


def _text(config: JsonObject, name: str) -> str:
    value = config.get(name)
    return value if isinstance(value, str) else ""


def _number(config: JsonObject, name: str) -> int:
    value = config.get(name)
    return value if isinstance(value, int) else 0

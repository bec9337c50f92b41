"""Models and deployment shapes that exist from the start, and those that tests add."""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from fireworks_simulator.clock import timestamp
from fireworks_simulator.wire import JsonObject, JsonValue

FIREWORKS = "accounts/fireworks/models/"
_SIXTEEN_BIT = ["FP16", "BF16"]
_BLACKWELL_OR_HOPPER = [
    "NVIDIA_H100_80GB",
    "NVIDIA_B200_180GB",
    "NVIDIA_GB200",
    "NVIDIA_B300_288GB",
    "NVIDIA_H200_141GB",
]
Kind = Literal["HF_BASE_MODEL", "HF_PEFT_ADDON", "DRAFT_ADDON", "EMBEDDING_MODEL", "CUSTOM_MODEL"]


class Model(BaseModel):
    """A model: what the service checks a deployment against.

    `broken` is the text that loading the addon fails with; `parameters` counts billions.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    name: str = Field(pattern=r"^accounts/[^/]+/models/[^/]+$")
    kind: Kind = "HF_BASE_MODEL"
    model_type: str = Field(default="llama", alias="modelType")
    parameters: float = Field(default=8.0, gt=0)
    moe: bool = False
    default_precision: str = Field(default="FP16", alias="defaultPrecision")
    supported_precisions: list[str] = Field(default=_SIXTEEN_BIT, alias="supportedPrecisions")
    supports_lora: bool = Field(default=True, alias="supportsLora")
    supports_live_merge: bool = Field(default=True, alias="supportsLiveMerge")
    default_draft_model: str = Field(default="", alias="defaultDraftModel")
    default_draft_token_count: int = Field(default=0, alias="defaultDraftTokenCount")
    context_length: int = Field(default=131_072, alias="contextLength")
    unsupported_accelerators: list[str] = Field(default_factory=list, alias="unsupportedAccelerators")
    required_accelerators: list[str] = Field(default_factory=list, alias="requiredAccelerators")
    base_model: str = Field(default="", alias="baseModel", description="Of an addon: the model it was tuned on.")
    rank: int = 16
    broken: str = ""
    public: bool = True
    state: Literal["UPLOADING", "READY"] = "READY"
    preparing: dict[str, float] = Field(default_factory=dict)

    @property
    def account(self) -> str:
        """The account that owns it."""
        return self.name.split("/")[1]

    @property
    def addon(self) -> bool:
        """Whether it is a LoRA addon."""
        return self.kind == "HF_PEFT_ADDON"

    def settle(self, now: float) -> None:
        """Preparations that are done by now count as supported precisions."""
        done = [precision for precision, moment in self.preparing.items() if moment <= now]
        for precision in done:
            del self.preparing[precision]
            if precision not in self.supported_precisions:
                self.supported_precisions = [*self.supported_precisions, precision]

    def to_wire(self, created: float) -> JsonObject:
        """The resource as an answer has it, without `deployedModelRefs`."""
        result: JsonObject = {
            "name": self.name,
            "displayName": self.name.rsplit("/", 1)[-1],
            "kind": self.kind,
            "state": self.state,
            "status": {"code": "OK", "message": ""},
            "public": self.public,
            "createTime": timestamp(created),
            "updateTime": timestamp(created),
            "contextLength": self.context_length,
            "supportsLora": self.supports_lora,
            "supportedPrecisions": list[JsonValue](self.supported_precisions),
        }
        if self.default_draft_model:
            result["defaultDraftModel"] = self.default_draft_model
            result["defaultDraftTokenCount"] = self.default_draft_token_count
        if self.addon:
            result["peftDetails"] = {
                "baseModel": self.base_model,
                "r": self.rank,
                "targetModules": ["q_proj", "k_proj", "v_proj", "o_proj"],
            }
        else:
            result["baseModelDetails"] = {
                "worldSize": 1,
                "checkpointFormat": "HUGGINGFACE",
                "parameterCount": str(int(self.parameters * 1_000_000_000)),
                "moe": self.moe,
                "modelType": self.model_type,
                "defaultPrecision": self.default_precision,
            }
        return result


@dataclass(frozen=True, slots=True)
class Shape:
    """A validated bundle of hardware and serving settings for one model, with a single version."""

    name: str
    version: str
    model: str
    preset: str
    settings: JsonObject = field(hash=False)
    addons: bool = False

    @property
    def version_name(self) -> str:
        """Resource name of its version."""
        return f"{self.name}/versions/{self.version}"

    def to_wire(self, created: float) -> JsonObject:
        """The shape as an answer has it."""
        return {
            "name": self.name,
            "displayName": self.name.rsplit("/", 1)[-1],
            "baseModel": self.model,
            "presetType": self.preset,
            "createTime": timestamp(created),
            "updateTime": timestamp(created),
            "enableAddons": self.addons,
            **self.settings,
        }

    def version_to_wire(self, created: float) -> JsonObject:
        """Its version as an answer has it."""
        return {
            "name": self.version_name,
            "createTime": timestamp(created),
            "snapshot": self.to_wire(created),
            "validated": True,
            "public": True,
            "latestValidated": True,
        }


class Catalogue:
    """Models by full name, and shapes."""

    def __init__(self, created: float) -> None:
        self.created = created
        self.models: dict[str, Model] = {model.name: model for model in _models()}
        self.shapes: list[Shape] = list(_SHAPES)

    def readable(self, name: str, account: str, now: float) -> Model | None:
        """A model that the account may use: its own, or a public one."""
        model = self.models.get(name)
        if model is None or not (model.public or model.account == account):
            return None
        model.settle(now)
        return model

    def base_of(self, model: Model) -> Model:
        """The base model of an addon; a base model itself."""
        return self.models.get(model.base_model, model) if model.addon else model

    def shape(self, text: str, base_model: str) -> Shape | None:
        """The shape that a request means: full name, version name, preset in small letters, or `default`."""
        stem, _, version = text.partition("/versions/")
        for shape in self.shapes:
            if shape.name == stem and version in ("", "latest", shape.version):
                return shape
        own = [shape for shape in self.shapes if shape.model == base_model]
        if text == "default":
            return own[0] if own else None
        return next((shape for shape in own if shape.preset.lower() == text), None)


def _fireworks(id_: str, **fields: object) -> Model:
    return Model.model_validate({"name": FIREWORKS + id_, **fields})


def _models() -> list[Model]:
    """The catalogue: one model for each rule that the service checks."""
    llama_draft = FIREWORKS + "llama-v3p2-1b-instruct"
    hopper: dict[str, object] = {"supportedPrecisions": [*_SIXTEEN_BIT, "FP8"]}
    return [
        _fireworks("llama-v3p1-8b-instruct", parameters=8, **hopper),
        _fireworks("llama-v3p2-1b-instruct", parameters=1.2),
        _fireworks("llama-v3p2-3b-instruct", parameters=3.2),
        _fireworks(
            "llama-v3p3-70b-instruct",
            parameters=70,
            defaultDraftModel=llama_draft,
            defaultDraftTokenCount=4,
            **hopper,
        ),
        _fireworks("qwen2p5-0p5b-instruct", modelType="qwen2", parameters=0.5),
        _fireworks("qwen2p5-7b-instruct", modelType="qwen2", parameters=7),
        _fireworks("qwen2p5-72b-instruct", modelType="qwen2", parameters=72, **hopper),
        _fireworks(
            "qwen3-8b",
            modelType="qwen3",
            parameters=8,
            defaultPrecision="FP8",
            defaultDraftModel=FIREWORKS + "qwen3-8b-drafter",
            defaultDraftTokenCount=3,
            unsupportedAccelerators=["NVIDIA_A100_80GB"],
            supportsLiveMerge=False,
            **hopper,
        ),
        _fireworks(
            "qwen3-8b-drafter",
            modelType="qwen3",
            kind="DRAFT_ADDON",
            parameters=0.5,
            defaultPrecision="FP8",
            supportedPrecisions=["FP8"],
        ),
        _fireworks("mixtral-8x7b-instruct", modelType="mixtral", parameters=47, moe=True, supportsLora=False),
        _fireworks(
            "deepseek-v3",
            modelType="deepseek_v3",
            parameters=671,
            moe=True,
            defaultPrecision="FP8",
            supportedPrecisions=["FP8"],
            supportsLora=False,
        ),
        _fireworks(
            "gpt-oss-120b",
            modelType="gpt_oss",
            parameters=117,
            moe=True,
            defaultPrecision="FP4",
            supportedPrecisions=["FP4", "BF16"],
            supportsLora=False,
            requiredAccelerators=_BLACKWELL_OR_HOPPER,
        ),
        _fireworks("eagle-llama-v3-3b-instruct-v2", kind="DRAFT_ADDON", parameters=0.4),
        _fireworks("eagle-llama-v3-8b-instruct-v2", kind="DRAFT_ADDON", parameters=0.6),
        _fireworks("eagle-qwen-v2p5-3b-instruct-v2", modelType="qwen2", kind="DRAFT_ADDON", parameters=0.4),
        _fireworks("eagle-qwen-v2p5-7b-instruct-v2", modelType="qwen2", kind="DRAFT_ADDON", parameters=0.6),
        _fireworks(
            "qwen3-embedding-8b",
            modelType="qwen3",
            kind="EMBEDDING_MODEL",
            parameters=8,
            supportsLora=False,
        ),
    ]


def _shape(
    id_: str,
    version: str,
    model: str,
    preset: str,
    accelerator: str,
    count: int,
    precision: str,
    *,
    addons: bool = False,
) -> Shape:
    settings: JsonObject = {"acceleratorType": accelerator, "acceleratorCount": count, "precision": precision}
    name = f"accounts/fireworks/deploymentShapes/{id_}"
    return Shape(name, version, FIREWORKS + model, preset, settings, addons)


_H200 = "NVIDIA_H200_141GB"
_SHAPES = (
    _shape("gpt-oss-120b-minimal", "xu5j0oe4", "gpt-oss-120b", "MINIMAL", _H200, 1, "FP4"),
    _shape("gpt-oss-120b-throughput", "edu6lf2d", "gpt-oss-120b", "THROUGHPUT", "NVIDIA_H100_80GB", 4, "FP4"),
    _shape("gpt-oss-120b-fast", "q8s0ymlz", "gpt-oss-120b", "FAST", _H200, 4, "FP4"),
    _shape(
        "llama-v3p1-8b-minimal",
        "a1b2c3d4",
        "llama-v3p1-8b-instruct",
        "MINIMAL",
        "NVIDIA_H100_80GB",
        1,
        "BF16",
        addons=True,
    ),
    _shape("llama-v3p1-8b-fast", "e5f6g7h8", "llama-v3p1-8b-instruct", "FAST", "NVIDIA_H100_80GB", 2, "FP8"),
)

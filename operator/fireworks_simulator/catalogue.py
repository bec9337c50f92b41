"""Models that exist from the start and those that tests add, and which shapes there are for them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from fireworks_simulator.clock import timestamp
from fireworks_simulator.shapes import SHAPES, Shape
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


class Catalogue:
    """Models by full name, and shapes."""

    def __init__(self, created: float) -> None:
        self.created = created
        self.models: dict[str, Model] = {model.name: model for model in _models()}
        self.shapes: list[Shape] = list(SHAPES)

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

    def add_shape(self, shape: Shape) -> None:
        """Add a shape, in the place of the one of that name if there is one."""
        self.shapes = [each for each in self.shapes if each.name != shape.name] + [shape]

    def shape(self, name: str, account: str) -> Shape | None:
        """The shape of that full name, or with a version of that full name, if the account may use it."""
        stem, _, version = name.partition("/versions/")
        for shape in self.shapes:
            if shape.name == stem and version in ("", "latest", shape.version) and shape.readable(account):
                return shape
        return None

    def matching(self, base_model: str, account: str, *, addons: bool) -> list[Shape]:
        """The validated shapes for a base model that the account may use, the likeliest first.

        Args:
            base_model: full name of the base model.
            account: account id.
            addons: only those in which LoRA addons can be enabled.
        """
        return [
            shape
            for shape in self.shapes
            if shape.model == base_model
            and shape.validated
            and shape.readable(account)
            and (shape.addons or not addons)
        ]


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
        _fireworks("qwen2p5-14b-instruct", modelType="qwen2", parameters=14),
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

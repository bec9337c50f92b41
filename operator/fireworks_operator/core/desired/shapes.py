"""Deployment shapes: whether the one in force is the one that was asked for."""

from pydantic import JsonValue

DEFAULT_SHAPE = "default"
"""The word that leaves the choice among the shapes validated for the model to Fireworks."""
BY_SHAPE = frozenset({"deploymentShape", "acceleratorType", "acceleratorCount", "precision"})
"""Fields of which a deployment with a shape has values that its spec may not have set."""
_ENDINGS = frozenset({"fast", "throughput", "minimal", "cost"})
"""Words that names of shapes end with."""
_PRESETS = frozenset({"full-precision", "agentic-coding", "chat", "summarization"})
"""Kinds of shapes (presetType of the REST reference) that a name spells differently or not at all."""


def same_shape(observed: JsonValue, wanted: JsonValue, base_model: JsonValue = None) -> bool:
    """Tell whether a deployment's shape is the one asked for.

    Fireworks rewrites a shape's name to that of its version, and words such as `fast` or `default` to a shape's full
    name. A word is compared with the shape's own, which follows the model's id in its name: `coding-throughput` is
    not `throughput`. Where the name does not tell, as in `rft-kimi-k2p5-v2`, the shape counts as the one asked for:
    Fireworks chose it upon that word, and to ask again would change nothing.
    """
    if not isinstance(observed, str) or not isinstance(wanted, str) or not observed:
        return observed == wanted
    shape = observed.split("/versions/")[0]
    if "/" in wanted:
        return wanted in (observed, shape)
    identifier = shape.rsplit("/", 1)[-1]
    if wanted in (DEFAULT_SHAPE, identifier):
        return True
    model = base_model.rsplit("/", 1)[-1] if isinstance(base_model, str) else ""
    word = _word(identifier, model)
    ending = identifier.rsplit("-", 1)[-1]
    if wanted.replace("_", "-").lower() in _PRESETS:
        return word not in _ENDINGS
    if word is None:
        return ending not in _ENDINGS or ending == wanted.rsplit("-", 1)[-1]
    return word == wanted or ending not in _ENDINGS


def _word(identifier: str, model: str) -> str | None:
    """Return what follows the model in a shape's name; None if it does not name the model.

    Few names have the model's id whole: `qwen3-30b-a3b-throughput` is a shape of `qwen3-30b-a3b-instruct-2507`.
    """
    if model and identifier.startswith(f"{model}-"):
        return identifier.removeprefix(f"{model}-")
    parts, known = identifier.split("-"), set(model.split("-"))
    shared = [place for place, part in enumerate(parts) if part in known and part not in _ENDINGS]
    return "-".join(parts[shared[-1] + 1 :]) if shared else None

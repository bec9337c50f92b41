"""Update masks: which paths a PATCH changes, and changing just those."""

import copy
from collections.abc import Iterable, Sequence

from fireworks_simulator.protojson import Kind, Message, Parsed
from fireworks_simulator.wire import Call, JsonObject, JsonValue, camel, invalid

Path = tuple[str, ...]


def update_paths(call: Call, message: Message, parsed: Parsed) -> list[Path]:
    """The paths (camelCase) that a PATCH is about.

    With `updateMask`, exactly those; without, the leaf paths of the body's keys, as grpc-gateway derives them,
    output-only fields left out. A missing mask is noted on the call.

    Raises:
        ApiError: 400 code 3 for a path that does not exist or is output only.
    """
    text = call.query.get("updateMask", "")
    if text.strip():
        return [_check(message, part.strip()) for part in text.split(",") if part.strip()]
    call.notes["maskMissing"] = True
    paths = [tuple(path.split(".")) for path in parsed.paths]
    return [path for path in paths if not message.fields[path[0]].output_only]


def _check(message: Message, text: str) -> Path:
    """A mask path, element by element."""
    path = tuple(camel(part) for part in text.split("."))
    scope: Message | None = message
    for index, name in enumerate(path):
        spec = scope.fields.get(name) if scope is not None else None
        if spec is None:
            raise invalid(f'invalid update mask: unknown path "{text}"')
        if spec.output_only:
            raise invalid(f'invalid update mask: "{text}" is output only')
        if index < len(path) - 1 and (spec.kind is not Kind.MESSAGE or spec.mapped or spec.repeated):
            raise invalid(f'invalid update mask: unknown path "{text}"')
        scope = spec.message
    return path


def merge(current: JsonObject, given: JsonObject, paths: Iterable[Path]) -> JsonObject:
    """A copy of `current` in which each path has the value that `given` has there, or none."""
    result = copy.deepcopy(current)
    for path in paths:
        _put(result, path, look_up(given, path))
    return result


def look_up(resource: JsonObject, path: Sequence[str]) -> JsonValue:
    """The value at a path, None where there is none."""
    value: JsonValue = resource
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _put(resource: JsonObject, path: Path, value: JsonValue) -> None:
    head, *rest = path
    if not rest:
        if value is None:
            resource.pop(head, None)
        else:
            resource[head] = copy.deepcopy(value)
        return
    inner = resource.setdefault(head, {})
    if isinstance(inner, dict):
        _put(inner, tuple(rest), value)
        if not inner:
            del resource[head]

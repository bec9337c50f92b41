"""Cuts what the operator is about to write to what the CRD allows: one text too long, and nothing could be written."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_origin

from .base import ApiModel, Schema

Model = TypeVar("Model", bound=ApiModel)
Fit = Callable[[Any], Any]
"""Returns a value that fits: the very same one where it does."""


def bounded(model: Model) -> Model:
    """Return the model with every text printable and cut, and every list and map cut, to its Schema, or itself.

    A text that is cut ends in "…". Of a list the first entries stay, of a map those whose keys are first in order.
    """
    fitted = {name: fit(getattr(model, name)) for name, fit in _fits(type(model))}
    changed = {name: value for name, value in fitted.items() if value is not getattr(model, name)}
    return model.model_copy(update=changed) if changed else model


@cache
def _fits(model: type[ApiModel]) -> tuple[tuple[str, Fit], ...]:
    """Return the fields of a model that can be too long, each with what makes it fit."""
    fits = ((name, _fit(info.annotation, info.metadata)) for name, info in model.model_fields.items())
    return tuple((name, fit) for name, fit in fits if fit is not None)


def _fit(annotation: object, metadata: Iterable[object]) -> Fit | None:
    """Return what makes a value of this type fit; None where every value does, such as a number."""
    about = next((each for each in metadata if isinstance(each, Schema)), Schema())
    arguments = _arguments(annotation)
    if get_origin(annotation) is Annotated:
        return _fit(arguments[0], arguments[1:])
    if get_origin(annotation) is list:
        return _list(_fit(arguments[0], ()), about.max_items)
    if annotation is str and about.max_length is not None:
        return _text(about.max_length)
    if get_origin(annotation) is dict and about.max_properties is not None:
        return _map(about.max_properties)
    if isinstance(annotation, type) and issubclass(annotation, ApiModel):
        return bounded
    if type(None) in get_args(annotation):
        fit = _fit(arguments[0], metadata)
        return None if fit is None else lambda value: None if value is None else fit(value)
    return None


def _arguments(annotation: object) -> list[Any]:
    """Return what a type is made of, without None."""
    return [each for each in get_args(annotation) if each is not type(None)]


def _text(length: int) -> Fit:
    def fit(text: str) -> str:
        if len(text) > length:
            text = text[: length - 1] + "…"
        return text if text.isprintable() else "".join(each if each.isprintable() else " " for each in text)

    return fit


def _list(inner: Fit | None, most: int | None) -> Fit:
    def fit(entries: list[Any]) -> list[Any]:
        kept = [each if inner is None else inner(each) for each in entries[:most]]
        same = len(kept) == len(entries) and all(new is old for new, old in zip(kept, entries, strict=True))
        return entries if same else kept

    return fit


def _map(most: int) -> Fit:
    def fit(entries: dict[str, Any]) -> dict[str, Any]:
        return entries if len(entries) <= most else {key: entries[key] for key in sorted(entries)[:most]}

    return fit

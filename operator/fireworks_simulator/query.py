"""List parameters: filters, ordering, paging and masks."""

import base64
import binascii
import bisect
import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fireworks_simulator.filters import parse_filter
from fireworks_simulator.wire import Call, JsonObject, JsonValue, camel, invalid

T = TypeVar("T")
DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 200


@dataclass(frozen=True, slots=True)
class Order:
    """What a list is ordered by: fields (camelCase paths), each ascending or descending."""

    fields: tuple[tuple[tuple[str, ...], bool], ...]

    def sort(self, items: Sequence[T], resource: Callable[[T], Mapping[str, JsonValue]]) -> list[T]:
        """The items in order; those that are equal stay as they were."""
        found = list(items)
        for path, descending in reversed(self.fields):
            found.sort(key=lambda item: _rank(look_up(resource(item), path)), reverse=descending)
        return found


def look_up(resource: Mapping[str, JsonValue], path: Sequence[str]) -> JsonValue:
    """The value at a path, None where there is none."""
    value: JsonValue = dict(resource)
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _rank(value: JsonValue) -> tuple[float, str]:
    """Numbers by size, before texts by letter; nothing counts as 0 or empty."""
    if value is None or isinstance(value, (int, float)):
        return float(value or 0), ""
    return math.inf, str(value)


def parse_order(call: Call, known: Mapping[str, object]) -> Order:
    """Parse `orderBy`, e.g. `state,create_time desc`.

    Raises:
        ApiError: 400 code 3 for a field that is not in `known`, or another direction.
    """
    text = call.query.get("orderBy", "").strip()
    fields: list[tuple[tuple[str, ...], bool]] = []
    for part in text.split(",") if text else ():
        words = part.split()
        path = tuple(camel(name) for name in words[0].split(".")) if words else ("",)
        if path[0] not in known or len(words) > 2 or (len(words) == 2 and words[1] not in ("asc", "desc")):
            raise invalid(f'invalid order_by "{text}"')
        fields.append((path, words[-1] == "desc"))
    return Order(tuple(fields))


def parse_mask(text: str, known: Mapping[str, object]) -> frozenset[str]:
    """Top-level camelCase names of a readMask; empty for "everything".

    Raises:
        ApiError: 400 code 3 for an unknown path.
    """
    names = [camel(part.strip().split(".")[0]) for part in text.split(",") if part.strip()]
    if "*" in names:
        return frozenset()
    for name in names:
        if name not in known:
            raise invalid(f'invalid read mask: unknown path "{name}"')
    return frozenset(names)


def apply_mask(resource: JsonObject, mask: frozenset[str]) -> JsonObject:
    """Only the fields of the mask; all for an empty one."""
    return {key: value for key, value in resource.items() if key in mask} if mask else resource


def page_size(call: Call) -> int:
    """The page size asked for: default 50, more than 200 counts as 200.

    Raises:
        ApiError: it is negative or no number.
    """
    size = call.number("pageSize", 0)
    if size < 0:
        raise invalid("page_size must not be negative")
    return min(size, MAX_PAGE_SIZE) or DEFAULT_PAGE_SIZE


def _digest(call: Call) -> str:
    """Identifies the parameters that must stay the same between pages."""
    kept = {name: call.query.get(name, "") for name in ("filter", "orderBy", "showDeleted", "readMask")}
    return hashlib.sha256(json.dumps([call.path, kept]).encode()).hexdigest()[:12]


def make_token(call: Call, key: Sequence[float | int | str], page: int) -> str:
    """An opaque token for the page after the entry with sort key `key`; `page` counts from 1."""
    text = json.dumps([_digest(call), list(key), page], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_token(call: Call) -> tuple[list[float | int | str], int] | None:
    """The sort key to go on after and the number of the page, or None for the first page.

    Raises:
        ApiError: the token is not one of ours, or other parameters changed since.
    """
    text = call.query.get("pageToken", "")
    if not text:
        return None
    try:
        digest, key, page = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if not isinstance(key, list) or not isinstance(page, int):
            raise invalid("invalid page token")
    except (ValueError, TypeError, binascii.Error):
        raise invalid("invalid page token") from None
    if digest != _digest(call):
        raise invalid("invalid page token: the other parameters must not change between pages")
    return key, page


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: index range of its entries and the token of the next."""

    first: int
    last: int
    token: str
    number: int


def paginate(call: Call, items: Sequence[T], key: Callable[[T], list[float | int | str]]) -> Page:
    """Cut one page out of `items`, which are sorted by `key`."""
    token = read_token(call)
    after, number = token if token is not None else (None, 1)
    first = 0 if after is None else bisect.bisect_right(items, after, key=key)
    last = min(first + page_size(call), len(items))
    more = last < len(items)
    return Page(first, last, make_token(call, key(items[last - 1]), number + 1) if more else "", number)


def paginate_by_position(call: Call, items: Sequence[T]) -> Page:
    """Cut one page out of `items`, which have an order that the items alone do not tell."""
    token = read_token(call)
    after, number = token if token is not None else ([0], 1)
    first = min(int(after[0]), len(items)) if isinstance(after[0], (int, float)) else 0
    last = min(first + page_size(call), len(items))
    return Page(first, last, make_token(call, [last], number + 1) if last < len(items) else "", number)


def list_resources(call: Call, field: str, resources: Sequence[JsonObject], known: Mapping[str, object]) -> JsonObject:
    """A list answer over resources that are few: filter, order (by name unless told otherwise), page, mask.

    Args:
        call: the request.
        field: name of the list in the answer, e.g. `deployedModels`.
        resources: all resources of the collection.
        known: field names that filters, orders and masks may use.
    """
    chosen = parse_filter(call.query.get("filter", ""), known)
    mask = parse_mask(call.query.get("readMask", ""), known)
    order = parse_order(call, known)
    found = sorted((r for r in resources if chosen is None or chosen(r)), key=_name)
    if order.fields:
        found = order.sort(found, lambda resource: resource)
        page = paginate_by_position(call, found)
    else:
        page = paginate(call, found, lambda resource: [_name(resource)])
    return {
        field: [apply_mask(resource, mask) for resource in found[page.first : page.last]],
        "nextPageToken": page.token,
        "totalSize": len(found),
    }


def _name(resource: JsonObject) -> str:
    return str(resource.get("name", ""))

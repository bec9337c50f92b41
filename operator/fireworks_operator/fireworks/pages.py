"""Pages of LISTs of the Fireworks API, read leniently: an entry that is not understood is known by its name alone."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import JsonValue

from .errors import FireworksError
from .fields import children, json_object, protocol_error
from .names import is_resource_name
from .wire import JsonObject

Entry = TypeVar("Entry")


def entries_of(
    obj: JsonObject, collection: str, parse: Callable[[JsonObject], Entry]
) -> tuple[tuple[Entry, ...], frozenset[str]]:
    """Return the entries of a page, and the names of those that cannot be understood.

    Raises:
        FireworksError: PROTOCOL, if an entry has no readable name.
    """
    entries: list[Entry] = []
    unreadable: set[str] = set()
    for value in children(obj, collection):
        item = json_object(value, "an entry of the list")
        try:
            entries.append(parse(item))
        except FireworksError:
            unreadable.add(name_of(item, collection))
    return tuple(entries), frozenset(unreadable)


def page_of(value: JsonValue, collection: str) -> JsonObject:
    """Return the object if it is a page of that collection.

    An empty list may be left out, so `{}` is an empty page; but some other JSON object must not be read as
    "nothing exists".
    """
    obj = json_object(value, "a list")
    if collection not in obj and not obj.keys() <= {"nextPageToken", "totalSize"}:
        raise protocol_error(f"a list without {collection}")
    return obj


def name_of(obj: JsonObject, collection: str) -> str:
    """Return the full name of a resource.

    Raises:
        FireworksError: PROTOCOL, if it has none of that collection.
    """
    name = obj.get("name")
    if not isinstance(name, str) or not is_resource_name(name, collection):
        raise protocol_error(f"an entry without a name such as accounts/A/{collection}/ID")
    return name

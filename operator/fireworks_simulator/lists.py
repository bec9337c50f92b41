"""LIST of deployments: from encoded texts, with the faults that only lists have."""

import json
from collections.abc import Callable

from fireworks_simulator import schema
from fireworks_simulator.entities import Deployment
from fireworks_simulator.faults import FaultAction, FaultKind
from fireworks_simulator.query import apply_mask, make_token, paginate, parse_filter, parse_mask
from fireworks_simulator.wire import ApiError, Call, Code, JsonObject, Reply, encode, invalid
from fireworks_simulator.world import World

Entry = tuple[Deployment, bytes | None]


def list_deployments(world: World, call: Call, fault: FaultAction | None = None) -> Reply:
    """GET /deployments: filter, order, page; `totalSize` counts all pages.

    Args:
        world: the service.
        call: the request.
        fault: what goes wrong with this list, if anything.
    """
    entries = _chosen(world, call, _entries(world, call, fault), fault)
    descending, by_name = _order(call)
    key = _key_of(descending=descending, by_name=by_name)
    if by_name or descending:
        entries = sorted(entries, key=key)
    page = paginate(call, entries, key)
    if fault is not None and fault.kind is FaultKind.FAIL_PAGE and fault.page == page.number:
        raise ApiError(Code.INTERNAL, fault.message)
    token = page.token
    if fault is not None and fault.kind is FaultKind.DUPLICATE_PAGE_TOKEN and token:
        token = call.query.get("pageToken") or _first_again(call, key(entries[page.first]))
    texts = _texts(world, call, entries[page.first : page.last])
    tail = encode({"nextPageToken": token, "totalSize": len(entries)})
    return Reply(200, b'{"deployments":[' + b",".join(texts) + b"]," + tail[1:])


def _chosen(world: World, call: Call, entries: list[Entry], fault: FaultAction | None) -> list[Entry]:
    """Leave out what the filter does not name, and what a fault omits."""
    chosen = parse_filter(call.query.get("filter", ""), schema.DEPLOYMENT.fields)
    if chosen.terms:
        entries = [entry for entry in entries if chosen.matches(_resource(world, call, entry))]
    if fault is not None and fault.kind is FaultKind.OMIT_FROM_LIST:
        entries = [entry for entry in entries if entry[0].id not in fault.names and entry[0].name not in fault.names]
    return entries


def _key_of(*, descending: bool, by_name: bool) -> Callable[[Entry], list[float | int | str]]:
    """Return what entries are ordered by."""
    if by_name and descending:
        raise invalid("order_by name desc is not supported")

    def key(entry: Entry) -> list[float | int | str]:
        d = entry[0]
        if by_name:
            return [d.name]
        return [-d.create_time, -d.sequence] if descending else [d.create_time, d.sequence]

    return key


def _texts(world: World, call: Call, shown: list[Entry]) -> list[bytes]:
    """Encode a page's entries, all of each or what the read mask names."""
    mask = parse_mask(call.query.get("readMask", ""), schema.DEPLOYMENT.fields)
    if mask:
        return [encode(apply_mask(_resource(world, call, entry), mask)) for entry in shown]
    return [text if text is not None else world.encoded(d, call.now) for d, text in shown]


def _entries(world: World, call: Call, fault: FaultAction | None) -> list[Entry]:
    """The deployments to list, with their text where it is not today's."""
    show_deleted = call.flag("showDeleted")
    lag = world.assumptions.list_lag_seconds
    if fault is not None and fault.kind is FaultKind.STALE_LIST:
        lag = max(lag, fault.seconds)
    if lag > 0 and not show_deleted:
        return list(world.listing_as_of(call.account, call.now - lag, call.now))
    return [(d, None) for d in world.listing(call.account, show_deleted=show_deleted)]


def _resource(world: World, call: Call, entry: Entry) -> JsonObject:
    d, text = entry
    if text is None:
        return world.wire(d, call.now)
    resource = json.loads(text)
    return resource if isinstance(resource, dict) else {}


def _order(call: Call) -> tuple[bool, bool]:
    """Whether the order is descending, and whether it is by name instead of create time.

    Raises:
        ApiError: another order is asked for.
    """
    text = call.query.get("orderBy", "").strip()
    field, _, direction = text.partition(" ")
    if field not in ("", "create_time", "createTime", "name") or direction not in ("", "asc", "desc"):
        raise invalid(f'invalid order_by "{text}"')
    return direction == "desc", field == "name"


def _first_again(call: Call, key: list[float | int | str]) -> str:
    """A token that leads to the first page again."""
    before: list[float | int | str] = ["" if isinstance(part, str) else part - 1 for part in key]
    return make_token(call, before, 1)

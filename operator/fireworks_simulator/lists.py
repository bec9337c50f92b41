"""LIST of deployments: from encoded texts, with the faults that only lists have."""

import json

from fireworks_simulator import schema
from fireworks_simulator.entities import Deployment
from fireworks_simulator.faults import FaultAction, FaultKind
from fireworks_simulator.filters import parse_filter
from fireworks_simulator.query import apply_mask, make_token, paginate, paginate_by_position, parse_mask, parse_order
from fireworks_simulator.wire import ApiError, Call, Code, JsonObject, Reply, encode
from fireworks_simulator.world import World

Entry = tuple[Deployment, bytes | None]
_OLDEST_FIRST = ((("createTime",), False),)


def list_deployments(world: World, call: Call, fault: FaultAction | None = None) -> Reply:
    """GET /deployments: filter, order, page; `totalSize` counts all pages.

    Args:
        world: the service.
        call: the request.
        fault: what goes wrong with this list, if anything.
    """
    entries = _chosen(world, call, _entries(world, call, fault), fault)
    order = parse_order(call, schema.DEPLOYMENT.fields)
    oldest_first = not order.fields or order.fields == _OLDEST_FIRST
    if oldest_first:
        page = paginate(call, entries, _key)
    else:
        entries = order.sort(entries, lambda entry: _resource(world, call, entry))
        page = paginate_by_position(call, entries)
    if fault is not None and fault.kind is FaultKind.FAIL_PAGE and fault.page == page.number:
        raise ApiError(Code.INTERNAL, fault.message)
    token = page.token
    if fault is not None and fault.kind is FaultKind.DUPLICATE_PAGE_TOKEN and token:
        token = call.query.get("pageToken") or _first_again(
            call, _key(entries[page.first]) if oldest_first else [page.first + 1]
        )
    texts = _texts(world, call, entries[page.first : page.last])
    tail = encode({"nextPageToken": token, "totalSize": len(entries)})
    return Reply(200, b'{"deployments":[' + b",".join(texts) + b"]," + tail[1:])


def _chosen(world: World, call: Call, entries: list[Entry], fault: FaultAction | None) -> list[Entry]:
    """Leave out what the filter does not name, and what a fault omits."""
    chosen = parse_filter(call.query.get("filter", ""), schema.DEPLOYMENT.fields)
    if chosen is not None:
        entries = [entry for entry in entries if chosen(_resource(world, call, entry))]
    if fault is not None and fault.kind is FaultKind.OMIT_FROM_LIST:
        entries = [entry for entry in entries if entry[0].id not in fault.names and entry[0].name not in fault.names]
    return entries


def _key(entry: Entry) -> list[float | int | str]:
    """What entries are ordered by unless told otherwise."""
    return [entry[0].create_time, entry[0].sequence]


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


def _first_again(call: Call, key: list[float | int | str]) -> str:
    """A token that leads to the first page again."""
    before: list[float | int | str] = ["" if isinstance(part, str) else part - 1 for part in key]
    return make_token(call, before, 1)

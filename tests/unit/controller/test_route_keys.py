"""The API keys of a direct route: read from the Secret, bounded, and explained where they are of no use."""

from typing import Any

import pytest

from fireworks_operator.api.conditions import Reason
from fireworks_operator.controller.accounts.route_keys import RouteKeys, read_route_keys
from fireworks_operator.core.context import Unusable
from testkit.builders import NOW, a_resource
from tests.unit.controller.fakes import FakeSecrets

CURRENT, NEXT = "route-key-number-1", "route-key-number-2"
FINALIZED: dict[str, Any] = {"deletionTimestamp": NOW}


async def read(
    stored: dict[str, bytes] | None = None,
    *,
    keys: tuple[str, ...] = ("current", "next"),
    forbidden: bool = False,
    spec: dict[str, object] | None = None,
    metadata: dict[str, Any] | None = None,
) -> RouteKeys | Unusable | None:
    """Read the keys of a resource whose Secret holds this; None: there is no Secret."""
    secrets = FakeSecrets()
    secrets.forbidden = forbidden
    if stored is not None:
        secrets.stored["team-a/route"] = stored
    route = {"type": "INTERNET", "apiKeysSecretRef": {"name": "route", "keys": list(keys)}}
    return await read_route_keys(secrets, a_resource({"directRoute": route, **(spec or {})}, **(metadata or {})))


async def test_the_named_keys_are_read_with_the_version_of_their_secret_and_nothing_else_is() -> None:
    found = await read({"current": CURRENT.encode(), "next": f"{NEXT}\n".encode(), "other": b"something-else"})
    assert isinstance(found, RouteKeys)
    assert [each.reveal() for each in found.keys] == [CURRENT, NEXT]
    assert (found.secret.name, found.secret.keys) == ("route", ["current", "next"])
    assert (found.secret.uid, found.secret.resource_version) == ("uid-of-team-a/route", "1")


async def test_a_key_that_stands_there_twice_is_sent_once() -> None:
    found = await read({"current": CURRENT.encode(), "next": CURRENT.encode()})
    assert isinstance(found, RouteKeys)
    assert [each.reveal() for each in found.keys] == [CURRENT]


@pytest.mark.parametrize(
    ("spec", "metadata", "reason"),
    [
        ({"directRoute": None}, {}, "without a direct route there are none"),
        ({"directRoute": {"type": "AWS_PRIVATELINK"}}, {}, "a private network needs none"),
        ({"managementPolicy": "Observe"}, {}, "nothing is ever sent"),
        ({}, FINALIZED, "a deletion needs none, and must not fail over them"),
    ],
)
async def test_a_secret_is_read_only_for_what_may_be_sent(
    spec: dict[str, object], metadata: dict[str, Any], reason: str
) -> None:
    assert await read(None, spec=spec, metadata=metadata) is None, reason


@pytest.mark.parametrize(
    ("stored", "cause", "says"),
    [
        (
            None,
            Reason.CREDENTIALS_MISSING,
            "kubectl create secret generic route --namespace team-a --from-literal=current=YOUR_KEY "
            "--from-literal=next=YOUR_KEY",
        ),
        ({}, Reason.CREDENTIALS_MISSING, 'has no value under "current" (it has: nothing)'),
        ({"current": CURRENT.encode()}, Reason.CREDENTIALS_MISSING, 'has no value under "next" (it has: current)'),
        ({"current": b" \n", "next": NEXT.encode()}, Reason.CREDENTIALS_MISSING, 'has no value under "current"'),
        ({"current": b"short-1", "next": NEXT.encode()}, Reason.CREDENTIALS_INVALID, "8 to 512 letters and digits"),
        ({"current": b"x" * 513, "next": NEXT.encode()}, Reason.CREDENTIALS_INVALID, 'under "current"'),
        ({"current": b"x" * 700_000, "next": NEXT.encode()}, Reason.CREDENTIALS_INVALID, 'under "current"'),
        ({"current": b"two words", "next": NEXT.encode()}, Reason.CREDENTIALS_INVALID, 'under "current"'),
        ({"current": b'{"a": "json"}', "next": NEXT.encode()}, Reason.CREDENTIALS_INVALID, 'under "current"'),
        ({"current": b"\xff\xfe" * 8, "next": NEXT.encode()}, Reason.CREDENTIALS_INVALID, 'under "current"'),
        ({"current": "schlüssel-1".encode(), "next": NEXT.encode()}, Reason.CREDENTIALS_INVALID, "characters"),
    ],
)
async def test_what_is_of_no_use_is_explained_without_being_shown(
    stored: dict[str, bytes] | None, cause: Reason, says: str
) -> None:
    found = await read(stored)
    assert isinstance(found, Unusable)
    assert (found.reason, found.needs_user) == (cause, True)
    assert says in found.message
    assert 'Secret "route" of spec.directRoute' in found.message
    assert len(found.message) < 1000
    assert not any(
        value.decode(errors="replace").strip() in found.message for value in (stored or {}).values() if value.strip()
    )


async def test_a_secret_that_may_not_be_read_is_told_apart_from_a_missing_one() -> None:
    found = await read({}, forbidden=True)
    assert isinstance(found, Unusable)
    assert "is not allowed to read the Secret" in found.message


async def test_the_keys_show_in_no_text() -> None:
    found = await read({"current": CURRENT.encode(), "next": NEXT.encode()})
    assert "route-key-number" not in f"{found} {found!r}"

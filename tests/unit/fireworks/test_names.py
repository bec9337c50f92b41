"""No id, however crafted, reaches another path, verb or query."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.names import account_path, is_resource_name, resource_path
from testkit.properties import examples


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("accounts/acme/deployments/chat-prod", "accounts/acme/deployments/chat-prod"),
        ("accounts/a.b_c/deployments/12345678", "accounts/a.b_c/deployments/12345678"),
        ("accounts/acme/deployments/a+b@c&d=e", "accounts/acme/deployments/a%2Bb%40c%26d%3De"),
        ("accounts/acme/deployments/größe", "accounts/acme/deployments/gr%C3%B6%C3%9Fe"),
    ],
)
def test_a_name_becomes_a_quoted_path(name: str, path: str) -> None:
    assert resource_path(name, "deployments") == path


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        ("chat", "a bare id"),
        ("accounts/acme/deployments", "no id"),
        ("accounts/acme/deployments/", "an empty id would delete the collection"),
        ("accounts//deployments/chat", "an empty account"),
        ("accounts/acme/models/chat", "another collection"),
        ("projects/acme/deployments/chat", "another root"),
        ("accounts/acme/deployments/chat/ledger", "a path below it"),
        ("accounts/acme/deployments/..", "path traversal"),
        ("accounts/../deployments/chat", "path traversal"),
        ("accounts/acme/deployments/.", "path traversal"),
        ("accounts/acme/deployments/%2e%2e", "path traversal, decoded twice"),
        ("accounts/acme/deployments/a%2Fb", "a slash in disguise"),
        ("accounts/acme/deployments/a\\b", "a slash to some servers"),
        ("accounts/acme/deployments/chat:undelete", "a verb"),
        ("accounts/acme/deployments/chat?hard=true", "a query"),
        ("accounts/acme/deployments/chat#x", "a fragment"),
        ("accounts/acme/deployments/a b", "a blank"),
        ("accounts/acme/deployments/a\nb", "a line break would forge a header"),
        ("accounts/acme/deployments/a\x00", "a control character"),
        ("accounts/acme/deployments/a\ud800", "half a character cannot be sent"),
        ("accounts/acme/deployments/" + "a" * 256, "longer than any"),
        ("/" * 1_000_000, "longer than any"),
    ],
)
def test_anything_else_is_refused_before_it_is_sent(name: str, reason: str) -> None:
    with pytest.raises(FireworksError) as caught:
        resource_path(name, "deployments")

    assert caught.value.kind is ErrorKind.INVALID, reason
    assert len(str(caught.value)) <= 500
    assert caught.value.definite, "nothing was sent"


@pytest.mark.parametrize("account", ["", ".", "..", "a/b", "a:b", "a b", "-/../b", "a" * 257])
def test_an_account_id_is_checked_as_well(account: str) -> None:
    with pytest.raises(FireworksError):
        account_path(account)


def test_the_wildcard_account_is_an_account() -> None:
    assert account_path("-") == "accounts/-"


@examples(100)
@given(st.text(max_size=20), st.text(max_size=20))
def test_a_path_always_has_exactly_four_segments(account: str, identifier: str) -> None:
    name = f"accounts/{account}/deployments/{identifier}"
    if is_resource_name(name, "deployments"):
        parts = resource_path(name, "deployments").split("/")
        assert len(parts) == 4
        assert all(part and not set(part) & set(":?#\\ \r\n") and part not in {".", ".."} for part in parts)

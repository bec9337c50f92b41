"""Secrets and line breaks go out of every text."""

import base64
import dataclasses
import gc
import json
import pickle
import threading
import time

import pytest

from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.request import Call
from fireworks_operator.observability.redaction import LONGEST_TEXT, SecretRegistry, redact, register_secret
from fireworks_operator.text import one_line, redact_shapes


@pytest.mark.parametrize(
    ("text", "expected", "reason"),
    [
        ("key fw_3ZabcdefGHIJK!", "key [REDACTED]!", "a Fireworks key"),
        ("FW_ABCDEFGHIJK", "[REDACTED]", "in any case"),
        ("fw_a-b_c-d_e", "[REDACTED]", "with dashes"),
        ("fw_short", "fw_short", "too short for a key: a word of ours such as fw_tests"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer [REDACTED]", "a header"),
        ("{'authorization': 'Bearer abc'}", "{'authorization': 'Bearer [REDACTED]'}", "a header in a dict"),
        ("bearer  eyJhbGciOi.x.y, next", "bearer  [REDACTED], next", "a Kubernetes token"),
        ("the bearer", "the bearer", "an ordinary word"),
        ("two fw_3ZabcdefGHIJK fw_4ZabcdefGHIJK", "two [REDACTED] [REDACTED]", "each of them"),
    ],
)
def test_whatever_looks_like_a_key_is_taken_out(text: str, expected: str, reason: str) -> None:
    assert redact_shapes(text) == expected, reason


def test_a_registered_secret_is_taken_out_in_plain_and_in_base64() -> None:
    registry = SecretRegistry()
    registry.register("hunter2-of-acme")
    encoded = base64.b64encode(b"hunter2-of-acme").decode()

    assert registry.remove_from(f"a hunter2-of-acme b {encoded} c") == "a [REDACTED] b [REDACTED] c"


def test_a_secret_that_contains_another_goes_as_a_whole() -> None:
    registry = SecretRegistry()
    for secret in ("the-inner", "the-inner-most", "xx-the-inner-yy", "a.b*c+d?"):
        registry.register(secret)

    assert registry.remove_from("xx-the-inner-yy the-inner-most the-inner a.b*c+d?") == " ".join(["[REDACTED]"] * 4)
    assert registry.remove_from("aXbbcccd") == "aXbbcccd", "a secret is no pattern"


@pytest.mark.timeout(20)
def test_a_tenant_that_brings_thousands_of_long_keys_holds_nobody_up() -> None:
    registry = SecretRegistry()
    keys = [f"{number:04}" + "x" * 500 for number in range(3000)]
    for key in keys:
        registry.register(key)
        assert registry.remove_from(f"a line about {key}, and more") == "a line about [REDACTED], and more"


@pytest.mark.parametrize("short", ["", "a", "Delete", "failed", "team-b/"])
def test_a_value_too_short_to_be_a_secret_blanks_nothing_out(short: str) -> None:
    registry = SecretRegistry()
    registry.register(short)

    assert registry.remove_from("team-b/chat: Delete failed, a text") == "team-b/chat: Delete failed, a text"
    registry.leave(short)
    assert registry.remove_from(short) == short


def test_the_shortest_secret_has_eight_characters() -> None:
    registry = SecretRegistry()
    registry.register("abcdefgh")

    assert registry.remove_from("abcdefgh") == "[REDACTED]"


def test_a_secret_is_taken_out_for_as_long_as_anybody_has_it() -> None:
    class Owner:
        """Has a secret."""

    first, second = Owner(), Owner()
    for owner in (first, second):
        register_secret("of-two-owners", owner)
    del owner, first
    assert redact("of-two-owners") == "[REDACTED]"
    del second
    gc.collect()
    assert redact("of-two-owners") == "of-two-owners"


def test_secrets_that_nobody_has_any_more_leave_nothing_behind() -> None:
    registry = SecretRegistry()
    for number in range(100):
        registry.register(f"secret-{number}")
        registry.leave(f"secret-{number}")
    registry.remove_from("a text")

    assert not registry._forms
    assert not registry._users


def test_what_describes_a_request_shows_no_key_of_a_direct_route() -> None:
    call = Call("update_deployment", "PATCH", "x", body={"displayName": "chat"}, route_keys=(ApiKey("route-key-1"),))
    assert json.loads(call.content() or b"") == {"displayName": "chat", "directRouteApiKeys": ["route-key-1"]}
    assert "route-key-1" not in f"{call} {call!r} {dataclasses.replace(call)!r}"
    with pytest.raises(TypeError, match="never serialised"):
        pickle.dumps(call)


def test_the_text_of_a_key_of_a_direct_route_is_no_pattern_for_log_lines() -> None:
    keys = (ApiKey("team-b/chat-is-no-key"),)
    Call("update_deployment", "PATCH", "x", body={}, route_keys=keys).content()
    assert redact("team-b/chat-is-no-key") == "team-b/chat-is-no-key", "it could be any word, of somebody's choice"


@pytest.mark.parametrize("before", ["", "x", "words of all kinds, and ", "hunter2-of-acme " * 300])
def test_of_an_endless_text_the_beginning_is_shown_and_no_part_of_a_secret(before: str) -> None:
    class Owner:
        """Has a secret."""

    owner = Owner()
    register_secret("hunter2-of-acme", owner)
    for shift in range(40):
        text = before + "y" * (1000 + shift - len(before) % 1000) + "hunter2-of-acme" + "z" * 5000
        for limit in (1000, 1020, 2000, 3000):
            shown = redact(text, limit)
            assert len(shown) <= limit * 1.5 + 1
            assert shown.endswith("…") or len(text) <= limit
            assert "hunter2" not in shown
            assert "yh" not in shown, "not even its first letter"
    assert owner is not None


@pytest.mark.timeout(20)
def test_a_megabyte_of_log_costs_no_more_than_a_line() -> None:
    began = time.perf_counter()
    for text in ("x" * 1_000_000, "fw_" * 300_000, "bearer " * 150_000, " " * 1_000_000):
        for _ in range(25):
            assert len(redact(text)) <= 2 * LONGEST_TEXT
    assert time.perf_counter() - began < 5.0, "0.05 s each, on a machine that does much else"


def test_secrets_may_be_registered_from_many_threads() -> None:
    registry = SecretRegistry()
    secrets = [f"secret-{n}-of-thread" for n in range(200)]
    threads = [threading.Thread(target=registry.register, args=(secret,)) for secret in secrets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert registry.remove_from(" ".join(secrets)) == " ".join(["[REDACTED]"] * 200)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" a \r\n b\tc ", "a b c"),
        ("a\x00b\x1b[31mc\x7f", "a b [31mc"),
        ("a\u2028b\u2029c\u202ed\u200be\ud800", "a b c d e"),
        ("ä 漢 😀", "ä 漢 😀"),
        ("", ""),
        ("x" * 10, "x" * 10),
        ("x" * 11, "x" * 9 + "…"),
        ("x" * 8 + " yyy", "x" * 8 + "…"),
    ],
)
def test_one_line_of_limited_length(text: str, expected: str) -> None:
    assert one_line(text, 10) == expected

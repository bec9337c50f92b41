"""Secrets and line breaks go out of every text."""

import base64
import threading

import pytest

from fireworks_operator.observability.redaction import SecretRegistry, one_line, redact_shapes


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
    for secret in ("inner", "inner-most", "xx-inner-yy", "a.b*c"):
        registry.register(secret)

    assert registry.remove_from("xx-inner-yy inner-most inner a.b*c") == " ".join(["[REDACTED]"] * 4)
    assert registry.remove_from("aXbbc") == "aXbbc", "a secret is no pattern"


@pytest.mark.timeout(20)
def test_a_tenant_that_brings_thousands_of_long_keys_holds_nobody_up() -> None:
    registry = SecretRegistry()
    keys = [f"{number:04}" + "x" * 500 for number in range(3000)]
    for key in keys:
        registry.register(key)
        assert registry.remove_from(f"a line about {key}, and more") == "a line about [REDACTED], and more"


@pytest.mark.parametrize("short", ["", "a", "abc"])
def test_a_value_too_short_to_be_a_secret_blanks_nothing_out(short: str) -> None:
    registry = SecretRegistry()
    registry.register(short)

    assert registry.remove_from("abcabc a text") == "abcabc a text"


def test_the_shortest_secret_has_four_characters() -> None:
    registry = SecretRegistry()
    registry.register("abcd")

    assert registry.remove_from("abcd") == "[REDACTED]"


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

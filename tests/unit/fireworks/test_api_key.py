"""An API key cannot be shown by accident."""

import copy
import gc
import hashlib
import json
import pickle
import subprocess
import sys

import pytest

from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.observability.redaction import redact

SECRET = "fw_3ZqYxVtTestSecret"


def test_no_text_form_shows_the_secret() -> None:
    key = ApiKey(SECRET)

    for text in (repr(key), str(key), f"{key}", f"{key!r}", f"{[key]}", "%s" % key, str({"key": key})):  # noqa: UP031
        assert SECRET not in text
        assert key.fingerprint in text


@pytest.mark.parametrize("words", ["mallory/", "Delete-failed", "accounts/", "team-b/chat:", "[REDACTED]"])
def test_a_text_that_only_stands_in_a_secret_blanks_nothing_out_of_the_log(words: str) -> None:
    key = ApiKey(words)

    assert (
        redact(f"team-b/chat: Delete-failed {words} of accounts/acme")
        == f"team-b/chat: Delete-failed {words} of accounts/acme"
    )
    assert words not in f"{key!r}" or words in "ApiKey([REDACTED]"


def test_a_key_that_is_one_is_taken_out_of_every_line_for_as_long_as_it_is_used() -> None:
    key, same = ApiKey("no-usual-prefix-0815"), ApiKey("no-usual-prefix-0815")
    for _ in range(2):
        key.accept()
    assert redact("no-usual-prefix-0815") == "[REDACTED]"
    same.accept()
    del key
    gc.collect()
    assert redact("no-usual-prefix-0815") == "[REDACTED]", "the same key, used by somebody else"
    del same
    gc.collect()
    assert redact("no-usual-prefix-0815") == "no-usual-prefix-0815"


def test_it_is_never_serialised() -> None:
    key = ApiKey(SECRET)

    for attempt in (pickle.dumps, json.dumps, copy.deepcopy, vars):
        with pytest.raises(TypeError) as caught:
            attempt(key)
        assert SECRET not in str(caught.value)


def test_the_newline_of_a_secret_is_no_part_of_the_key() -> None:
    assert ApiKey(f"{SECRET}\n").reveal() == SECRET
    assert ApiKey(f" {SECRET}\r\n") == ApiKey(SECRET)
    assert hash(ApiKey(f"{SECRET}\n")) == hash(ApiKey(SECRET))


def test_two_keys_are_the_same_only_if_their_whole_texts_are() -> None:
    first, second = ApiKey("fw_bogusaaabaaab"), ApiKey("fw_bogusjzeaoosd")  # SHA-256 of both: 193b2722…
    second.fingerprint = first.fingerprint

    assert first != second
    assert {first: "first", second: "second"}[ApiKey("fw_bogusjzeaoosd")] == "second"


def test_a_fingerprint_tells_nobody_whether_a_guess_at_the_key_is_right() -> None:
    ask = f"from fireworks_operator.fireworks.api_key import ApiKey; print(ApiKey('{SECRET}').fingerprint)"
    others = {subprocess.check_output([sys.executable, "-c", ask], text=True).strip() for _ in range(2)}
    here = ApiKey(SECRET).fingerprint

    assert len({here, *others}) == 3, "each process has its own"
    for name in hashlib.algorithms_guaranteed - {"shake_128", "shake_256"}:
        assert not hashlib.new(name, SECRET.encode()).hexdigest().startswith(here)
    assert ApiKey(SECRET).fingerprint == here, "as long as the process lives"


def test_different_keys_have_different_fingerprints() -> None:
    assert ApiKey(SECRET) != ApiKey(f"{SECRET}2")
    assert ApiKey(SECRET).fingerprint != ApiKey(f"{SECRET}2").fingerprint
    assert len(ApiKey(SECRET).fingerprint) == 8
    assert ApiKey(SECRET) != SECRET


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("two words", "a header value would be cut"),
        ("fw_abc\r\nX-Evil: 1", "would add a header"),
        ("schlüssel", "a header is ASCII"),
        ("x" * 513, "no key is that long"),
    ],
)
def test_what_cannot_be_a_key_is_refused_without_being_quoted(text: str, reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        ApiKey(text)

    assert str(caught.value) == "an API key consists of 1 to 512 printable ASCII characters without spaces", reason

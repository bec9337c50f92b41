"""A key that was copied with something around it is told by its form, and never shown."""

import base64

import pytest

from fireworks_operator.fireworks.key_form import odd_form

KEY = "fw_3ZSecretOfSomebody"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f'"{KEY}"', "in quotes"),
        (f"'{KEY}'\n", "in quotes"),
        (f"“{KEY}”", "in quotes"),
        (f"Bearer {KEY}", "a header"),
        (f"bearer {KEY}", "a header"),
        (f"Authorization: Bearer {KEY}", "a header"),
        (f"FIREWORKS_API_KEY={KEY}", "an assignment"),
        (f'export FIREWORKS_API_KEY="{KEY}"', "an assignment"),
        (f"apiKey: {KEY}", "a line of YAML"),
        (f'{{"apiKey": "{KEY}"}}', "JSON"),
        (f'["{KEY}"]', "JSON"),
        ("${FIREWORKS_API_KEY}", "a placeholder"),
        ("$(FIREWORKS_API_KEY)", "a placeholder"),
        ("<your key>", "a placeholder"),
        ("{{ .Values.apiKey }}", "a placeholder"),
        ("YOUR_API_KEY", "a placeholder"),
        (f"\ufeff{KEY}", "a byte order mark"),
        (encoded(KEY), "base64-encoded"),
        (encoded(KEY + "\n"), "base64-encoded"),
        (encoded(encoded(KEY)), "base64-encoded"),
    ],
)
def test_what_stands_around_a_key_is_named(text: str, words: str) -> None:
    told = odd_form(text)

    assert told is not None
    assert words in told
    assert "; provide " in told
    assert "Secret" not in told.replace("in a Secret", "")


@pytest.mark.parametrize(
    "text", [KEY, f" {KEY}\n", "fw_", "", "no-usual-prefix-4711", "abc==", "ABCD", "sk-or:v1", "é"]
)
def test_any_other_text_may_be_a_key(text: str) -> None:
    assert odd_form(text) is None

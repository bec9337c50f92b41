"""Only clean JSON gets in."""

import pytest

from fireworks_operator.fireworks.wire import decode_json


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "nothing"),
        (b"{", "cut off"),
        (b'{"a":1}x', "more after the end"),
        (b'{"a":NaN}', "not a number is no JSON"),
        (b'{"a":Infinity}', "no JSON"),
        (b'{"a":-Infinity}', "no JSON"),
        (b'{"a":1e999}', "would become infinite"),
        (b"[" * 200_000, "nested too deep, cut off"),
        (b"[" * 200_000 + b"]" * 200_000, "nested too deep"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deep"),
        (b"1" * 5000, "a number of thousands of digits"),
        (b'{"a":"\xff"}', "no UTF-8"),
        (b'{"a":"\\ud800"}', "half a surrogate pair cannot be written anywhere"),
        (b'{"\\uDC00":1}', "nor as a key"),
        (b'{"a":"line\nbreak"}', "a raw line break in a string"),
    ],
)
def test_what_is_no_clean_json_is_refused_and_crashes_nothing(body: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=r"^the response is not valid JSON$"):
        decode_json(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b' {"a": [1, -2.5, null, true, "x"]} ', {"a": [1, -2.5, None, True, "x"]}),
        (b'{"n": 9223372036854775807}', {"n": 9223372036854775807}),
        (b'{"a":"\\ud83d\\ude00"}', {"a": "😀"}),
        (b'{"a":"\\\\ud800"}', {"a": "\\ud800"}),
    ],
)
def test_clean_json_is_read_as_it_is(body: bytes, value: object) -> None:
    assert decode_json(body) == value

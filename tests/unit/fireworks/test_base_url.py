"""A base URL that would send keys to the wrong place, or in plain text, is refused with a sentence that helps."""

import pytest

from fireworks_operator.fireworks.base_url import BaseUrl


@pytest.mark.parametrize(
    ("text", "allow_http", "expected"),
    [
        ("https://api.fireworks.ai", False, BaseUrl("https://api.fireworks.ai", "api.fireworks.ai", True)),
        (" https://api.fireworks.ai/ ", False, BaseUrl("https://api.fireworks.ai", "api.fireworks.ai", True)),
        ("https://gw.example/fw/", False, BaseUrl("https://gw.example/fw", "gw.example", True)),
        ("http://localhost:8080", False, BaseUrl("http://localhost:8080", "localhost", False)),
        ("http://127.0.0.9:1", False, BaseUrl("http://127.0.0.9:1", "127.0.0.9", False)),
        ("http://[::1]:8080", False, BaseUrl("http://[::1]:8080", "::1", False)),
        ("https://localhost", False, BaseUrl("https://localhost", "localhost", True)),
        ("http://simulator.ci:80", True, BaseUrl("http://simulator.ci:80", "simulator.ci", False)),
    ],
)
def test_a_good_base_url_is_taken(text: str, allow_http: bool, expected: BaseUrl) -> None:
    assert BaseUrl.parse(text, allow_http=allow_http) == expected


@pytest.mark.parametrize(
    ("text", "sentence", "reason"),
    [
        ("http://api.fireworks.ai", "must use https", "the key would be readable by everybody in between"),
        ("http://10.0.0.1", "must use https", "a private network is not loopback"),
        ("http://localhost.evil.example", "must use https", "only looks like loopback"),
        ("http://127.0.0.1.evil.example", "must use https", "only looks like loopback"),
        ("api.fireworks.ai", "must be like https://api.fireworks.ai", "no scheme"),
        ("ftp://api.fireworks.ai", "must be like https://api.fireworks.ai", "another scheme"),
        ("https://", "must be like https://api.fireworks.ai", "no host"),
        ("", "must be like https://api.fireworks.ai", "empty"),
        ("https://user:hunter2@api.fireworks.ai", "without user", "a password would end up in logs"),
        ("https://api.fireworks.ai?x=1", "without user, query", "paths are appended"),
        ("https://api.fireworks.ai#x", "without user, query and fragment", "paths are appended"),
        ("https://api.fireworks.ai/v1", "must not contain /v1", "would become /v1/v1"),
        ("https://api.fireworks.ai/inference/v1", "must not contain /v1", "the inference URL is another one"),
        ("https://api.fireworks.ai:port", "is not a URL", "no port"),
        ("https://[::1", "is not a URL", "broken"),
        ("https://" + "a" * 70 + ".example", "is not a URL", "a label too long for DNS"),
    ],
)
def test_a_bad_base_url_is_refused_with_a_way_out(text: str, sentence: str, reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        BaseUrl.parse(text, allow_http=False)

    assert sentence in str(caught.value), reason
    assert "hunter2" not in str(caught.value), "the text may hold a password"

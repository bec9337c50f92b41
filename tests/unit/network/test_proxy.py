"""Which proxy an address is reached through: the rules of kubectl and curl, and refusals that show no password."""

import pytest

from fireworks_operator.network.proxy import Proxy, ProxyError, proxy_for, proxy_named

PROXY = "http://proxy.corp.example:3128"
HOST = "https://api.corp.example"


def goes_through(url: str, **environment: str) -> bool:
    return proxy_for(url, {"HTTPS_PROXY": PROXY, **environment}) is not None


@pytest.mark.parametrize(
    ("exceptions", "url", "reason"),
    [
        ("api.corp.example", HOST, "the name itself"),
        ("corp.example", HOST, "a name means all below it"),
        (".corp.example", HOST, "so does one with a dot before it"),
        ("*.corp.example", HOST, "and one with a wildcard"),
        ("API.Corp.Example", HOST, "names know no capitals"),
        ("api.corp.example", "https://API.corp.EXAMPLE", "neither in the address"),
        ("api.corp.example.", HOST, "a dot at the end is how DNS writes it"),
        ("api.corp.example", HOST + ".", "on either side"),
        ("bücher.example", "https://xn--bcher-kva.example", "a name as DNS has it"),
        ("*", HOST, "everything"),
        ("localhost,*", HOST, "everything, among others"),
        ("a.example, corp.example ,b.example", HOST, "blanks around it"),
        ("a.example corp.example", HOST, "a blank as the separator, as curl has it"),
        ("a.example,,corp.example,", HOST, "empty entries"),
        ("api.corp.example:443", HOST, "the port of https"),
        ("corp.example:6443", HOST + ":6443", "a port of one's own"),
        ("10.0.0.0/8", "https://10.96.0.1", "a range"),
        ("10.1.2.3/8", "https://10.96.0.1", "a range by one of its addresses"),
        ("10.96.0.1", "https://10.96.0.1:6443", "an address, any port"),
        ("10.96.0.1:6443", "https://10.96.0.1:6443", "an address with its port"),
        ("10.96.0.1", "https://[::ffff:10.96.0.1]", "the same address as IPv6 writes it"),
        ("10.0.0.0/8", "https://[::ffff:10.96.0.1]", "in a range, too"),
        ("fd00::/8", "https://[fd00::1]", "a range of IPv6"),
        ("fd00::1", "https://[fd00::1]", "an address of IPv6"),
        ("[fd00::1]", "https://[fd00::1]", "in brackets"),
        ("FD00:0::1", "https://[fd00::1]", "in another spelling"),
        ("[fd00::1]:6443", "https://[fd00::1]:6443", "with its port"),
    ],
)
def test_what_no_proxy_lists_is_reached_directly(exceptions: str, url: str, reason: str) -> None:
    assert goes_through(url), "without NO_PROXY"
    assert not goes_through(url, NO_PROXY=exceptions), reason
    assert not goes_through(url, no_proxy=exceptions), reason


@pytest.mark.parametrize(
    ("exceptions", "url", "reason"),
    [
        ("orp.example", HOST, "a part of a label is no domain"),
        (".api.corp.example", HOST, "only what is below it"),
        ("*.api.corp.example", HOST, "only what is below it"),
        ("*corp.example", HOST, "no wildcard within a label"),
        ("corp", HOST, "a name within"),
        ("api.corp.example:8443", HOST, "another port"),
        ("10.96.0.1:443", "https://10.96.0.1:6443", "another port"),
        ("[fd00::1]:443", "https://[fd00::1]:6443", "another port"),
        ("10.0.0.0/8", "https://11.0.0.1", "outside the range"),
        ("10.0.0.0/8", "https://10.0.0.1.nip.example", "a name that looks like an address"),
        ("fd00::/8", "https://10.0.0.1", "a range of another kind"),
        ("0.0.0.0/0", HOST, "a range is for addresses: names are not looked up"),
        ("10.0.0.0/99", "https://10.0.0.1", "no range at all"),
        (". , *. :443 /", HOST, "nothing at all"),
        ("", HOST, "empty"),
    ],
)
def test_what_no_proxy_does_not_mean_goes_through_the_proxy(exceptions: str, url: str, reason: str) -> None:
    assert goes_through(url, NO_PROXY=exceptions), reason


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.8.9.10", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_this_machine_is_never_reached_through_a_proxy_of_the_environment(host: str) -> None:
    assert not goes_through(f"https://{host}:6443", HTTP_PROXY=PROXY, ALL_PROXY=PROXY)
    assert proxy_for(f"http://{host}:6443", {"HTTP_PROXY": PROXY}) is None
    assert proxy_for(f"https://{host}", {"ALL_PROXY": PROXY}, all_proxy=True) is None


@pytest.mark.parametrize(
    ("environment", "url", "source"),
    [
        ({"HTTPS_PROXY": PROXY}, HOST, "HTTPS_PROXY"),
        ({"https_proxy": PROXY}, HOST, "https_proxy"),
        ({"HTTPS_PROXY": "", "https_proxy": PROXY}, HOST, "https_proxy"),
        ({"HTTPS_PROXY": " ", "ALL_PROXY": PROXY}, HOST, "ALL_PROXY"),
        ({"all_proxy": PROXY}, HOST, "all_proxy"),
        ({"HTTPS_PROXY": PROXY, "ALL_PROXY": "http://other.example"}, HOST, "HTTPS_PROXY"),
        ({"HTTP_PROXY": PROXY}, HOST, None),
        ({"HTTP_PROXY": PROXY}, "http://api.corp.example", "HTTP_PROXY"),
        ({"HTTPS_PROXY": PROXY}, "http://api.corp.example", None),
        ({}, HOST, None),
    ],
)
def test_the_variable_that_counts_is_named(environment: dict[str, str], url: str, source: str | None) -> None:
    found = proxy_for(url, environment, all_proxy=True)

    assert (found and found.source) == source
    assert found is None or found.url == PROXY


def test_all_proxy_is_not_for_those_who_follow_kubectl() -> None:
    assert proxy_for(HOST, {"ALL_PROXY": PROXY}) is None


@pytest.mark.parametrize(
    ("text", "url", "authorization"),
    [
        ("proxy.example:3128", "http://proxy.example:3128", None),
        (" http://proxy.example:3128/\n", "http://proxy.example:3128", None),
        ("http://proxy.example", "http://proxy.example:80", None),
        ("https://proxy.example", "https://proxy.example:443", None),
        ("HTTP://Proxy.Example:3128", "http://proxy.example:3128", None),
        ("socks5://127.0.0.1:11080", "socks5://127.0.0.1:11080", None),
        ("socks5h://proxy.example", "socks5h://proxy.example:1080", None),
        ("socks4a://proxy.example", "socks4a://proxy.example:1080", None),
        ("http://[fd00::1]:3128", "http://[fd00::1]:3128", None),
        ("[fd00::1]:3128", "http://[fd00::1]:3128", None),
        ("http://user:pass@proxy.example:3128", "http://proxy.example:3128", "Basic dXNlcjpwYXNz"),
        ("user:pass@proxy.example:3128", "http://proxy.example:3128", "Basic dXNlcjpwYXNz"),
        ("http://user@proxy.example:3128", "http://proxy.example:3128", "Basic dXNlcjo="),
        ("http://:pass@proxy.example:3128", "http://proxy.example:3128", "Basic OnBhc3M="),
        ("http://@proxy.example:3128", "http://proxy.example:3128", None),
        ("http://u%40corp:p%C3%A4%2F@proxy.example:3128", "http://proxy.example:3128", "Basic dUBjb3JwOnDDpC8="),
        ("http://user:p@ss@proxy.example:3128", "http://proxy.example:3128", "Basic dXNlcjpwQHNz"),
    ],
)
def test_a_proxy_as_people_write_it(text: str, url: str, authorization: str | None) -> None:
    proxy = proxy_named(text, source="HTTPS_PROXY")

    assert (proxy.url, proxy.authorization) == (url, authorization)


PASSWORD = "hunter2"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("http://user:hunter2@[", "use a URL like http://"),
        ("http://user:hunter2@", "use a URL like http://"),
        ("http://user:hunter2@proxy.example:many", "use a URL like http://"),
        ("http://user:hunter2@proxy.example:65536", "use a URL like http://"),
        ("http://user:hunter2@proxy.example:0", "use a URL like http://"),
        ("http://user:hunter2@proxy..example:3128", "use a URL like http://"),
        ("http://user:hunter2@proxy example:3128", "use a URL like http://"),
        ("http://user:hunter2\n@proxy.example:3128", "use a URL like http://"),
        ("http://user:hunter2/x@proxy.example:3128", "percent-encoded"),
        ("http://user:12/hunter2@proxy.example:3128", "percent-encoded"),
        ("http://user:12#hunter2@proxy.example:3128", "percent-encoded"),
        ("http://user:12?hunter2@proxy.example:3128", "percent-encoded"),
        ("http://user:hunter2%ff@proxy.example:3128", "must be UTF-8"),
        ("socks://user:hunter2@proxy.example:1080", "one of http, https, socks4"),
        ("quic://user:hunter2@proxy.example:1080", "one of http, https, socks4"),
        ("socks4://user:hunter2@proxy.example:1080", "no password"),
        (f"socks5://user:{PASSWORD * 40}@proxy.example:1080", "must not exceed 255 bytes"),
        ("://hunter2", "use a URL like http://"),
        ("http://user%3Ahunter2%40proxy.example:3128", "use a URL like http://"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_by_the_name_of_the_setting(text: str, words: str) -> None:
    with pytest.raises(ProxyError) as caught:
        proxy_for(HOST, {"https_proxy": text})

    assert str(caught.value).startswith("https_proxy: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert PASSWORD not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_a_proxy_that_is_not_used_may_be_written_as_it_likes() -> None:
    assert proxy_for(HOST, {"HTTPS_PROXY": "http://[", "NO_PROXY": "corp.example"}) is None


def test_a_proxy_shows_its_password_nowhere() -> None:
    proxy = proxy_named(f"http://somebody:{PASSWORD}@proxy.example:3128", source="HTTPS_PROXY")

    assert proxy == Proxy("http", "proxy.example", 3128, "HTTPS_PROXY", "somebody", PASSWORD)
    for text in (repr(proxy), str(proxy), proxy.url):
        assert PASSWORD not in text
        assert "somebody" not in text

"""Every answer that is no success is put into the right class, and its text is fit to be shown."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireworks_operator.fireworks.errors import ErrorKind, FireworksError, classify
from testkit.properties import examples

HTML = (
    b"<!DOCTYPE html>\n<html><head><title>Attention Required! | Cloudflare</title></head><body>Ray ID: 8f</body></html>"
)


def envelope(code: int, message: str) -> bytes:
    return json.dumps({"code": code, "details": [], "message": message}).encode()


def edge(message: str, code: str | int = "UNAUTHORIZED") -> bytes:
    return json.dumps({"error": {"message": message, "code": code, "type": "error"}}).encode()


QUOTA = "global--h200-count for account acme, in use: 14, quota: 16, requesting: 4"
IN_USE = "deployment has received inference requests in the last hour, pass ignore_checks to skip this check"
SUSPENDED = "Account acme is suspended, possibly due to reaching the monthly spending limit"

# status, body, kind, definite, reason
CASES: list[tuple[int, bytes, ErrorKind, bool, str]] = [
    (400, envelope(3, 'proto: (line 1:203): unknown field "loadTargets"'), ErrorKind.INVALID, True, "an unknown key"),
    (400, envelope(3, "accelerator_type must be specified"), ErrorKind.INVALID, True, "a refused spec"),
    (400, envelope(11, "out of range"), ErrorKind.INVALID, True, "OUT_OF_RANGE is a kind of invalid argument"),
    (400, envelope(5, "the deployment shape version does not exist"), ErrorKind.INVALID, True, "a 400 is no 404"),
    (400, b'{"detail": "bad"}', ErrorKind.INVALID, False, "JSON of nobody we know refuses, but proves nothing"),
    (422, envelope(3, "unprocessable"), ErrorKind.INVALID, True, "a validating layer before the control plane"),
    (405, envelope(12, "Method Not Allowed"), ErrorKind.INVALID, True, "any other 4xx in the control plane's words"),
    (400, envelope(9, IN_USE), ErrorKind.FAILED_PRECONDITION, True, "in use: the deletion may be repeated later"),
    (400, edge(IN_USE, "FAILED_PRECONDITION"), ErrorKind.FAILED_PRECONDITION, True, "codes also come by name"),
    (400, HTML, ErrorKind.WRONG_ENDPOINT, False, "a firewall's page is not the control plane's refusal"),
    (401, edge("The API key you provided is invalid."), ErrorKind.UNAUTHENTICATED, True, "refused at the edge"),
    (401, envelope(16, "API key not valid"), ErrorKind.UNAUTHENTICATED, True, "refused by the gateway"),
    (401, b"Unauthorized", ErrorKind.UNAUTHENTICATED, False, "an authenticating proxy in between"),
    (403, envelope(7, "annotation keys must start with custom/"), ErrorKind.PERMISSION_DENIED, True, "not allowed"),
    (403, b"", ErrorKind.PERMISSION_DENIED, False, "a 403 without a word"),
    (403, HTML, ErrorKind.WRONG_ENDPOINT, False, "a firewall's page says nothing about the key's permissions"),
    (404, envelope(5, "deployment not found"), ErrorKind.NOT_FOUND, True, "the only 404 that means absent"),
    (404, b"fault filter abort", ErrorKind.WRONG_ENDPOINT, False, "an edge that misses a route knows no deployments"),
    (404, HTML, ErrorKind.WRONG_ENDPOINT, False, "a web server's page knows no deployments"),
    (404, b"", ErrorKind.WRONG_ENDPOINT, False, "nobody said it"),
    (404, b'{"error": "not found"}', ErrorKind.WRONG_ENDPOINT, False, "somebody else's JSON"),
    (404, b'{"code": 404, "message": "no route"}', ErrorKind.WRONG_ENDPOINT, False, "looks alike, wrong code"),
    (404, b'{"code": true, "message": "x"}', ErrorKind.WRONG_ENDPOINT, False, "true is not the number 1"),
    (404, b'{"code": "5", "message": "x"}', ErrorKind.WRONG_ENDPOINT, False, "the control plane sends a number"),
    (404, edge("Model not found", "NOT_FOUND"), ErrorKind.WRONG_ENDPOINT, False, "the inference side's 404"),
    (404, b'{"code":5,"mess', ErrorKind.WRONG_ENDPOINT, False, "cut in half: nothing can be concluded"),
    (408, b"", ErrorKind.NO_ANSWER, False, "the other side may have begun"),
    (409, envelope(6, "deployment already exists"), ErrorKind.ALREADY_EXISTS, True, "the id is taken"),
    (409, edge("already exists", "ALREADY_EXISTS"), ErrorKind.ALREADY_EXISTS, True, "the same by name"),
    (409, envelope(10, "concurrent update"), ErrorKind.ABORTED, True, "somebody else is at it"),
    (409, b"conflict", ErrorKind.ABORTED, False, "a conflict in nobody's words"),
    (412, edge(SUSPENDED), ErrorKind.SUSPENDED, True, "billing"),
    (402, edge("Payment required"), ErrorKind.SUSPENDED, True, "no credit left"),
    (402, envelope(9, "The account is out of credits."), ErrorKind.SUSPENDED, True, "the control plane's words"),
    (402, HTML, ErrorKind.WRONG_ENDPOINT, False, "a proxy wants to be paid, not Fireworks"),
    (412, HTML, ErrorKind.WRONG_ENDPOINT, False, "a page does not suspend accounts"),
    (429, envelope(8, "rate limit exceeded"), ErrorKind.RATE_LIMITED, True, "too many requests"),
    (429, b"error code: 1015", ErrorKind.RATE_LIMITED, False, "the edge's own limit, in plain text"),
    (429, envelope(8, QUOTA), ErrorKind.QUOTA_EXCEEDED, True, "a quota is no rate limit and must not pause others"),
    (400, envelope(9, QUOTA), ErrorKind.QUOTA_EXCEEDED, True, "quota refusals come with several statuses"),
    (403, envelope(7, QUOTA), ErrorKind.QUOTA_EXCEEDED, True, "even with a 403"),
    (400, edge(QUOTA), ErrorKind.QUOTA_EXCEEDED, True, "in either envelope"),
    (503, envelope(8, QUOTA), ErrorKind.QUOTA_EXCEEDED, False, "code 8 with the pattern, whatever the status"),
    (500, envelope(13, QUOTA), ErrorKind.NO_ANSWER, False, "an internal error that merely quotes one"),
    (429, envelope(8, "in use: many, quota: few"), ErrorKind.RATE_LIMITED, True, "without numbers it is no quota"),
    (500, envelope(13, "internal"), ErrorKind.NO_ANSWER, False, "it may have been carried out"),
    (501, envelope(12, "Method Not Allowed"), ErrorKind.NO_ANSWER, False, "5xx is never a definite refusal"),
    (502, HTML, ErrorKind.NO_ANSWER, False, "the edge lost the control plane's answer"),
    (503, b"upstream connect error", ErrorKind.NO_ANSWER, False, "the edge lost the control plane"),
    (504, envelope(4, "deadline exceeded"), ErrorKind.NO_ANSWER, False, "it may still be carried out"),
    (499, envelope(1, "context canceled"), ErrorKind.NO_ANSWER, False, "given up half-way"),
    (301, b"", ErrorKind.WRONG_ENDPOINT, False, "redirects are not followed: they would take the key elsewhere"),
    (302, HTML, ErrorKind.WRONG_ENDPOINT, False, "a login page"),
    (200, HTML, ErrorKind.WRONG_ENDPOINT, False, "a captive portal says 200 to everything"),
    (200, b"OK", ErrorKind.WRONG_ENDPOINT, False, "so does many a health endpoint"),
    (200, b'{"deployments":[', ErrorKind.NO_ANSWER, False, "cut off: a change may have been carried out"),
    (200, b"", ErrorKind.NO_ANSWER, False, "cut off before the first byte"),
    (200, b"[]", ErrorKind.PROTOCOL, False, "JSON, but no object"),
    (200, b"null", ErrorKind.PROTOCOL, False, "JSON, but no object"),
]


@pytest.mark.parametrize(("status", "body", "kind", "definite", "reason"), CASES)
def test_each_answer_has_one_class(status: int, body: bytes, kind: ErrorKind, definite: bool, reason: str) -> None:
    error = classify(status, {}, body)

    assert (error.kind, error.definite, error.status) == (kind, definite, status), reason


def test_every_kind_is_documented_with_its_reaction() -> None:
    for kind in ErrorKind:
        assert kind.doc.endswith("."), kind
        assert kind.reaction.endswith("."), kind


def test_every_kind_of_an_answer_is_in_the_table() -> None:
    never_answered = {ErrorKind.UNREACHABLE}

    assert {case[2] for case in CASES} | never_answered == set(ErrorKind)


@pytest.mark.parametrize(
    ("kind", "transient", "reason"),
    [
        (ErrorKind.UNREACHABLE, True, "networks recover"),
        (ErrorKind.NO_ANSWER, True, "servers recover"),
        (ErrorKind.WRONG_ENDPOINT, True, "edges recover, and it says nothing about the resource"),
        (ErrorKind.RATE_LIMITED, True, "by waiting"),
        (ErrorKind.ABORTED, True, "by looking again"),
        (ErrorKind.PROTOCOL, True, "it says nothing about the resource"),
        (ErrorKind.UNAUTHENTICATED, False, "a new key is needed"),
        (ErrorKind.PERMISSION_DENIED, False, "another role is needed"),
        (ErrorKind.SUSPENDED, False, "somebody has to pay"),
        (ErrorKind.QUOTA_EXCEEDED, False, "more quota is needed"),
        (ErrorKind.NOT_FOUND, False, "it stays absent"),
        (ErrorKind.ALREADY_EXISTS, False, "it stays there"),
        (ErrorKind.INVALID, False, "the spec must change"),
        (ErrorKind.FAILED_PRECONDITION, False, "traffic must end, or a default be moved"),
    ],
)
def test_transient_errors_need_nobody(kind: ErrorKind, transient: bool, reason: str) -> None:
    assert FireworksError(kind, "text").transient is transient, reason


def test_a_request_that_was_never_sent_was_definitely_not_carried_out() -> None:
    assert FireworksError(ErrorKind.UNREACHABLE, "no route").definite
    assert not FireworksError(ErrorKind.NO_ANSWER, "time-out").definite


@pytest.mark.parametrize(
    ("headers", "seconds", "reason"),
    [
        ({"Retry-After": "7"}, 7.0, "seconds"),
        ({"retry-after": "0"}, 0.0, "zero is not absent"),
        ({"Retry-After-Ms": "1500", "Retry-After": "60"}, 1.5, "the finer one wins"),
        ({"Retry-After": "2.5"}, 2.5, "fractions are not in the standard, but are sent"),
        (
            {"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"},
            30.0,
            "a date counts from the answer's own date, whatever the clock here says",
        ),
        (
            {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT", "Date": "Wed, 21 Oct 2026 07:28:30 GMT"},
            0.0,
            "a date that has passed",
        ),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT"}, None, "a date without a date to count from"),
        (
            {"Retry-After": "Wed, 21 Oct 2026 07:28:30 -0000", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"},
            None,
            "a date without a zone cannot be compared",
        ),
        ({"Retry-After": "-5"}, None, "nonsense"),
        ({"Retry-After": "inf"}, None, "for ever is nonsense"),
        ({"Retry-After": "nan"}, None, "nonsense"),
        ({"Retry-After": "soon"}, None, "nonsense"),
        ({}, None, "not asked for"),
    ],
)
def test_retry_after_is_understood_in_all_its_forms(
    headers: dict[str, str], seconds: float | None, reason: str
) -> None:
    assert classify(429, headers, envelope(8, "slow down")).retry_after == seconds, reason


@pytest.mark.parametrize(
    ("status", "headers", "body", "message", "reason"),
    [
        (400, {}, envelope(3, "a\r\nb\tc   d\x00\x1b[31me"), "a b c d [31me", "one line, nothing for the terminal"),
        (400, {}, envelope(3, "abc\u202etxt.exe\u2028x"), "abc txt.exe x", "no reversed texts, no hidden line ends"),
        (400, {}, envelope(3, "x" * 501), "x" * 499 + "…", "at most 500 characters"),
        (400, {}, envelope(3, "x" * 500), "x" * 500, "500 are kept"),
        (400, {}, envelope(3, "no model (request id: 01HX-8f3a_b) here"), "no model here", "a new id is no news"),
        (400, {}, envelope(3, "bad. Request-ID=7f3; retry"), "bad. ; retry", "in whatever spelling"),
        (400, {}, envelope(3, "key fw_3ZabcdefGHIJK is bad"), "key [REDACTED] is bad", "a key that is echoed"),
        (400, {}, envelope(3, "got 'Bearer abc.def' as"), "got 'Bearer [REDACTED]' as", "a header that is echoed"),
        (400, {}, envelope(3, "  "), "HTTP 400 without a message", "there is always a text"),
        (400, {}, b'{"message": 5}', "HTTP 400 without a message", "a message that is no text"),
        (500, {}, b"", "HTTP 500 with an empty response", "there is always a text"),
        (502, {}, HTML, "a web page: Attention Required! | Cloudflare", "pages by their title: the rest changes"),
        (502, {}, b"<p>hello</p>", "a web page: without a title", "pages by their title"),
        (502, {"Content-Type": "text/html"}, b"\n hello", "a web page: without a title", "known by its type"),
        (404, {}, b"fault filter abort", "not a response of the Fireworks API: fault filter abort", "plain text"),
        (302, {"Location": "https://login.example.com/?token=abc"}, b"", "redirects to login.example.com", "where to"),
        (302, {"Location": "http://[bad"}, b"", "redirects to another address", "a broken location"),
        (200, {}, b'{"a":', "a response that cannot be decoded", "cut off"),
    ],
)
def test_the_message_is_one_stable_harmless_line(
    status: int, headers: dict[str, str], body: bytes, message: str, reason: str
) -> None:
    assert message in classify(status, headers, body).message, reason


def test_the_text_of_an_error_names_the_status_and_the_words() -> None:
    error = classify(403, {}, envelope(7, "no"))

    assert str(error) == "no (HTTP 403)"
    assert repr(error) == "FireworksError(PERMISSION_DENIED, 'no', status=403)"
    assert str(FireworksError(ErrorKind.UNREACHABLE, "no route")) == "no route"


@examples(100)
@given(
    status=st.integers(200, 599),
    body=st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner) | st.dictionaries(st.sampled_from(["code", "message", "error"]) | st.text(), inner)
            ),
            max_leaves=10,
        ).map(lambda value: json.dumps(value).encode()),
    ),
)
def test_no_answer_whatever_breaks_the_classification(status: int, body: bytes) -> None:
    error = classify(status, {}, body)

    assert 0 < len(error.message) <= 500
    assert not any(unicodedata.category(c)[0] == "C" for c in error.message)
    assert not (error.definite and not 400 <= status < 500)
    assert (error.kind is ErrorKind.NOT_FOUND) <= (status == 404)


@pytest.mark.parametrize(
    "words",
    [
        ("trace 3f2504e0-4f89-11d3-9a0c-0305e82c3301 lost", "trace 7d444840-9dc0-11d1-b245-5ffdce74fad2 lost"),
        ("down since 2026-11-28T18:55:10.123Z", "down since 2026-11-28T18:56:11Z"),
        ("down since 2026-11-28 18:55", "down since 2026-11-29 01:02"),
        ("at 18:55:10 no backend", "at 18:56:40.5 no backend"),
        ("dial tcp 10.0.3.17:8443: connection refused", "dial tcp 10.0.7.1:9443: connection refused"),
        ("dial tcp [fd00::1:2]:443: refused", "dial tcp [fd00::9]:443: refused"),
        ("no route to fe80::1ff:fe23:4567:890a", "no route to fe80::2"),
        ("panic at 0xc000123abc", "panic at 0xc0009f"),
        ("node worker-7f9c4d-x2k8p is gone", "node worker-85bd6f-9qq2z is gone"),
        ("try 17 of 20 failed", "try 18 of 20 failed"),
        ("overloaded, 1,204 requests wait for 3.5s", "overloaded, 987 requests wait for 12s"),
        ("digest deadbeef12 missing", "digest 00c0ffee99 missing"),
    ],
)
def test_an_outage_whose_words_change_reads_the_same_each_time(words: tuple[str, str]) -> None:
    first, second = (classify(503, {}, envelope(14, each)).message for each in words)
    assert first == second
    assert any(each.isalpha() for each in first)


def test_numbers_of_a_refusal_are_what_it_says() -> None:
    assert "at most 64" in classify(400, {}, envelope(3, "at most 64 replicas")).message
    assert "10.0.0.1" in classify(400, {}, envelope(3, "10.0.0.1 is no region")).message
    assert "HTTP 502" in classify(502, {}, b"").message
    assert "no answer within 20 s" in FireworksError(ErrorKind.NO_ANSWER, "no answer within 20 s").message

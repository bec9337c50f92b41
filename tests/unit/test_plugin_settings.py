"""What the environment of `kubectl fireworks` may hold is told in a sentence, never by a traceback."""

import click
import pytest

from fireworks_operator.plugin.advice import explain
from fireworks_operator.plugin.fireworks import open_client, read_key, read_settings
from tests.unit.fireworks.calls import KEY, failure
from tests.unit.fireworks.raw_server import RawServer, replies
from tests.unit.network.handshake import server_context


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (
            "SSL_CERT_FILE",
            "/nowhere.pem",
            "SSL_CERT_FILE: the file /nowhere.pem cannot be read: No such file or directory.",
        ),
        ("SSL_CERT_DIR", "/nowhere", "SSL_CERT_DIR: the folder /nowhere cannot be read: No such file or directory."),
        ("HTTPS_PROXY", "http://jane:hunter2@", "HTTPS_PROXY: use a URL like "),
        (
            "FIREWORKS_BASE_URL",
            "http://api.fireworks.ai",
            "FIREWORKS_BASE_URL: must use https: otherwise API keys are sent",
        ),
        (
            "FIREWORKS_API_KEY",
            "Bearer fw_hunter2",
            "FIREWORKS_API_KEY: it is a header (Bearer …); provide only the key",
        ),
        ("FIREWORKS_OPERATOR_REQUEST_BURST", "x", "FIREWORKS_OPERATOR_REQUEST_BURST: Input should be a valid integer"),
    ],
)
async def test_a_variable_that_is_of_no_use_is_named(
    name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(click.ClickException) as caught:
        await open_client(read_settings()).aclose()

    assert words in caught.value.message
    assert "hunter2" not in caught.value.message


def test_an_empty_key_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREWORKS_API_KEY", "")
    assert read_key(read_settings()) is None


async def test_a_certificate_that_nobody_vouches_for_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    async with RawServer(replies(200, "{}")).running(server_context()) as server:
        monkeypatch.setenv("FIREWORKS_BASE_URL", f"https://localhost:{server.port}")
        async with open_client(read_settings()) as client:
            error = await failure(client.list_accounts(KEY))

    assert explain(error) == (
        "Fireworks: localhost cannot be reached: certificate verify failed: unable to get local issuer certificate. "
        "If a proxy in between inspects TLS, or the certificate authority is private, set SSL_CERT_FILE to a file "
        "with its certificate."
    )

"""Whom connections trust: a company's own authorities as they are, nobody by accident, and files that are of no use."""

import os
import ssl
from pathlib import Path

import aiohttp
import certifi
import pytest

from fireworks_operator.network import trust
from fireworks_operator.network.connector import connector
from fireworks_operator.network.trust import TrustError, certificate_trouble, context_of, default_context
from tests.unit.fireworks.raw_server import RawServer, replies
from tests.unit.network.handshake import ROOT, SERVER, server_context, shake_hands


@pytest.fixture(params=["SSL_CERT_FILE", "SSL_CERT_DIR", "file", "data"])
def context(request: pytest.FixtureRequest) -> ssl.SSLContext:
    """A context that trusts the company's authority, named in one of all ways."""
    match request.param:
        case "SSL_CERT_FILE":
            return default_context({"SSL_CERT_FILE": str(ROOT)})
        case "SSL_CERT_DIR":
            return default_context({"SSL_CERT_DIR": str(ROOT.parent)})
        case "file":
            return context_of(ROOT)
    return context_of(data=ROOT.read_text())


def test_a_corporate_root_that_newer_pythons_object_to_is_trusted(context: ssl.SSLContext) -> None:
    shake_hands(context)
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # what Python 3.13 does by itself
    with pytest.raises(ssl.SSLCertVerificationError, match="Basic Constraints of CA cert not marked critical"):
        shake_hands(context)


def test_nothing_but_chain_dates_and_name_is_checked_whatever_a_python_adds() -> None:
    strict = ssl.create_default_context(cafile=str(ROOT))
    strict.verify_flags |= ssl.VERIFY_X509_STRICT

    shake_hands(trust._lenient(strict))


def test_a_server_that_could_do_http_2_is_not_asked_for_it(context: ssl.SSLContext) -> None:
    assert shake_hands(context) == "http/1.1"


def test_chain_and_host_name_are_checked_all_the_same(context: ssl.SSLContext) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(context, "evil.example")
    stranger = Path(__file__).parents[1] / "fireworks/certs/localhost.pem"
    with pytest.raises(ssl.SSLCertVerificationError, match="self-signed certificate"):
        shake_hands(context, "localhost", stranger)


def test_an_authority_below_the_root_may_be_named_alone() -> None:
    shake_hands(context_of(SERVER))


@pytest.mark.parametrize("environment", [{}, {"SSL_CERT_FILE": "", "SSL_CERT_DIR": " "}], ids=["unset", "empty"])
def test_without_a_word_the_usual_authorities_are_trusted(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    bundled, system = default_context(fallback=certifi.where()), default_context()

    assert bundled.cert_store_stats()["x509_ca"] > 50
    for each in (bundled, system):
        assert not each.verify_flags & ssl.VERIFY_X509_STRICT
        with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer certificate"):
            shake_hands(each)


def test_an_empty_variable_does_not_take_the_authorities_of_the_system_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = ssl.get_default_verify_paths()._replace(openssl_cafile=str(ROOT), openssl_capath=str(tmp_path / "none"))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    monkeypatch.setenv("SSL_CERT_FILE", "")
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)

    shake_hands(default_context())


def test_the_authorities_that_are_named_are_trusted_and_no_others() -> None:
    assert default_context({"SSL_CERT_FILE": str(ROOT)}, fallback=certifi.where()).cert_store_stats()["x509"] == 1


def test_what_file_and_folder_both_hold_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "corp.crt").write_bytes(ROOT.read_bytes())
    shake_hands(default_context({"SSL_CERT_FILE": str(ROOT), "SSL_CERT_DIR": str(tmp_path)}))


def test_the_files_of_a_folder_may_have_any_name_and_be_links(tmp_path: Path) -> None:
    """A mounted ConfigMap: links to a folder that begins with dots."""
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data/corp.crt").write_bytes(b"# Unternehmenszertifikat \xc3\xbc\r\n" + ROOT.read_bytes())
    (tmp_path / "corp.crt").symlink_to("..data/corp.crt")
    (tmp_path / "dangling.crt").symlink_to("nowhere")
    (tmp_path / "README").write_text("no certificate")
    (tmp_path / "half.pem").write_text("-----BEGIN CERTIFICATE-----\nnothing\n")

    shake_hands(default_context({"SSL_CERT_DIR": f"{tmp_path}{os.pathsep}"}))
    shake_hands(default_context({"SSL_CERT_FILE": certifi.where(), "SSL_CERT_DIR": str(tmp_path)}))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "the file {path} cannot be read: No such file or directory"),
        (b"", "the file {path} contains no certificate in PEM format, or a damaged one"),
        (b"\x30\x82\x03\x0f\xff", "the file {path} contains no certificate in PEM format, or a damaged one"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "a damaged one"),
        (ROOT.read_bytes()[:600], "a damaged one"),
        (SERVER.read_bytes().partition(b"-----BEGIN CERTIFICATE")[0], "contains no certificate"),
    ],
    ids=["missing", "empty", "DER", "garbage", "cut off", "only a key"],
)
def test_a_file_that_is_of_no_use_is_told_with_variable_and_path(
    content: bytes | None, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(TrustError) as by_environment:
        default_context({"SSL_CERT_FILE": str(path)})
    with pytest.raises(TrustError) as by_kubeconfig:
        context_of(path, source="certificate-authority of cluster x")

    for told, source in ((by_environment, "SSL_CERT_FILE"), (by_kubeconfig, "certificate-authority of cluster x")):
        assert str(told.value).startswith(f"{source}: ")
        assert words.format(path=path) in str(told.value)
        assert "\n" not in str(told.value)


def test_a_folder_that_is_of_no_use_is_told_with_variable_and_path(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("no certificate")
    for folder, words in (
        (tmp_path, f"no file in {tmp_path} contains a certificate in PEM format"),
        (tmp_path / "none", f"the folder {tmp_path / 'none'} cannot be read: No such file or directory"),
        (tmp_path / "README", f"the folder {tmp_path / 'README'} cannot be read: Not a directory"),
    ):
        for also in ({}, {"SSL_CERT_FILE": str(ROOT)}):
            with pytest.raises(TrustError) as caught:
                default_context({"SSL_CERT_DIR": str(folder), **also})
            assert str(caught.value) == f"SSL_CERT_DIR: {words}"


def test_a_text_without_a_certificate_is_told_by_its_setting() -> None:
    with pytest.raises(TrustError, match="certificate-authority-data of cluster x: the text contains no certificate"):
        context_of(data="AAAA", source="certificate-authority-data of cluster x")


def test_trouble_with_a_certificate_is_seen_behind_other_errors() -> None:
    trouble, other = OSError("wrapped"), OSError("wrapped")
    trouble.__cause__ = ssl.SSLCertVerificationError()
    other.__context__ = other.__cause__ = ssl.SSLError()
    other.__cause__.__context__ = other

    assert certificate_trouble(trouble) is trouble.__cause__
    assert certificate_trouble(ExceptionGroup("several", [other, trouble])) is trouble.__cause__
    assert certificate_trouble(other) is None


async def test_what_is_wrong_with_a_certificate_is_found_behind_the_error_of_aiohttp() -> None:
    async with (
        RawServer(replies(200, "{}")).running(server_context()) as server,
        aiohttp.ClientSession(connector=connector(context_of(ROOT), None, limit=1)) as session,
    ):
        with pytest.raises(aiohttp.ClientError) as caught:
            await session.get(f"https://127.0.0.1:{server.port}/")

    trouble = certificate_trouble(caught.value)
    assert trouble is not None
    assert trouble.verify_message.startswith("IP address mismatch")

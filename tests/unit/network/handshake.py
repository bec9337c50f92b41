"""A TLS handshake without a network."""

import ssl
from pathlib import Path

CERTS = Path(__file__).parent / "certs"
ROOT = CERTS / "root.pem"
"""A company's own authority, as many are: its basicConstraints are not marked critical."""
SERVER = CERTS / "server.pem"
"""Key and certificate by that authority, for localhost and api.fireworks.example."""

EXPIRED = CERTS / "expired.pem"
"""The same, but of yesterday."""


def server_context(file: Path = SERVER) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def shake_hands(client: ssl.SSLContext, name: str = "api.fireworks.example", server: Path = SERVER) -> str | None:
    """Connect both sides and return the protocol they agree on, or raise what the client objects to."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(down, up, server_hostname=name)
    context = server_context(server)
    context.set_alpn_protocols(["h2", "http/1.1"])
    far = context.wrap_bio(up, down, server_side=True)
    waiting = [near, far]
    for _ in range(10):
        for each in tuple(waiting):
            try:
                each.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(each)
    assert not waiting
    return near.selected_alpn_protocol()

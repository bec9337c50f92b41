"""A server that answers as a test says, and clients of it."""

from collections.abc import AsyncIterator

import pytest

from fireworks_operator.fireworks.client import FireworksClient, RequestRecord
from tests.unit.fireworks.calls import EMPTY
from tests.unit.fireworks.raw_server import RawServer


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer(EMPTY).running() as running:
        yield running


@pytest.fixture
def records() -> list[RequestRecord]:
    return []


@pytest.fixture
async def client(server: RawServer, records: list[RequestRecord]) -> AsyncIterator[FireworksClient]:
    async with FireworksClient(server.url, user_agent="fireworks-operator/test", observe=records.append) as running:
        yield running


@pytest.fixture
async def hasty(server: RawServer, records: list[RequestRecord]) -> AsyncIterator[FireworksClient]:
    """A client for answers that never come."""
    async with FireworksClient(server.url, timeout_read=0.3, timeout_write=0.2, observe=records.append) as running:
        yield running

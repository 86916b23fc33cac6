"""Senders that may send to this machine."""

from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest

from services.notification.systems.outbound.clients import Limits, Sender
from services.notification.systems.outbound.domain import Reach
from services.notification.systems.outbound.signatures import Scheme, SigningKey

KEY = SigningKey.new(Scheme.HMAC)
LOOPBACK = Reach(networks=(ip_network("127.0.0.0/8"), ip_network("::1/128")))
QUICK = Limits(total=0.4, connect=0.3)


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    async with Sender(LOOPBACK) as patient:
        yield patient


@pytest.fixture
async def hasty() -> AsyncIterator[Sender]:
    """For those who never answer."""
    async with Sender(LOOPBACK, QUICK) as quick:
        yield quick

"""A subscriber that asks for access tokens of its own authorisation server."""

import asyncio
import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from services.notification.systems.delivery.domain import Accepted, Deferred, Outcome, Trouble
from services.notification.systems.outbound.clients import Endpoint, Sender
from services.notification.systems.outbound.domain import Reach
from services.notification.systems.outbound.signatures import SigningKeys
from services.notification.systems.outbound.tokens import OAuth2Client
from tests.notification.outbound.conftest import KEY
from tests.notification.outbound.subscriber import Behaviour, Received, Subscriber, says, silence, subscribing

UNAUTHORISED = says("401 Unauthorized")
ACCEPTED = says("202 Accepted")


def token(text: str = "ve-1", **more: Any) -> Behaviour:
    body = json.dumps({"access_token": text, "token_type": "Bearer", "expires_in": 3600, **more}).encode()
    return says("200 OK", "Content-Type: application/json", body=body)


def asking(subscriber: Subscriber, server: Subscriber) -> Endpoint:
    """An endpoint whose server of tokens stands beside it."""
    client = OAuth2Client(server.url(), "mot-cua", "bí mật:1", scope="events.write")
    return Endpoint(subscriber.url(), SigningKeys(KEY), frozenset(), client)


async def post(sender: Sender, there: Endpoint) -> Outcome:
    return await sender.post(there, uuid4(), b"{}", datetime.now(UTC))


async def test_a_token_is_asked_for_once_and_shown_with_every_message(sender: Sender) -> None:
    async with subscribing(ACCEPTED) as subscriber, subscribing(token()) as server:
        there = asking(subscriber, server)
        assert await asyncio.gather(*(post(sender, there) for _ in range(5))) == [Accepted(202)] * 5

    (asked,) = server.received
    basic = base64.b64decode(asked.headers["authorization"].removeprefix("Basic "))
    assert basic == b"mot-cua:b%C3%AD+m%E1%BA%ADt%3A1"
    assert asked.body == b"grant_type=client_credentials&scope=events.write"
    assert {request.headers["authorization"] for request in subscriber.received} == {"Bearer ve-1"}
    assert "bí mật" not in repr(there)


async def test_a_token_that_was_taken_back_is_renewed_once(sender: Sender) -> None:
    issued = iter(["ve-1", "ve-2"])

    async def next_token(request: Received, writer: asyncio.StreamWriter) -> None:
        await token(next(issued))(request, writer)

    async def only_the_second(request: Received, writer: asyncio.StreamWriter) -> None:
        good = request.headers["authorization"] == "Bearer ve-2"
        await (ACCEPTED if good else UNAUTHORISED)(request, writer)

    async with subscribing(only_the_second) as subscriber, subscribing(next_token) as server:
        assert await post(sender, asking(subscriber, server)) == Accepted(202)
    assert (len(subscriber.received), len(server.received)) == (2, 2)


async def test_whoever_refuses_every_token_is_asked_twice_only(sender: Sender) -> None:
    async with subscribing(UNAUTHORISED) as subscriber, subscribing(token()) as server:
        assert await post(sender, asking(subscriber, server)) == Deferred(Trouble.STATUS, 401)
    assert (len(subscriber.received), len(server.received)) == (2, 2)


async def test_a_token_about_to_end_is_renewed(sender: Sender) -> None:
    async with subscribing(ACCEPTED) as subscriber, subscribing(token(expires_in=20)) as server:
        for _ in range(2):
            await post(sender, asking(subscriber, server))
    assert len(server.received) == 2


NO_TOKENS = {
    "our client is refused": says("401 Unauthorized", body=b'{"error":"invalid_client"}'),
    "it fails": says("500 Internal Server Error"),
    "it redirects": says("302 Found", "Location: http://127.0.0.1/"),
    "no JSON": says("200 OK", body=b"<html>"),
    "no token": says("200 OK", body=b'["access_token"]'),
    "a token that would be a header of its own": token("x\r\nHost: inside"),
    "30 MB": says("200 OK", body=b" " * 1_000_000),
}


@pytest.mark.parametrize("behaviour", NO_TOKENS.values(), ids=NO_TOKENS.keys())
async def test_without_a_token_nothing_is_sent(sender: Sender, behaviour: Behaviour) -> None:
    async with subscribing(ACCEPTED) as subscriber, subscribing(behaviour) as server:
        assert await post(sender, asking(subscriber, server)) == Deferred(Trouble.AUTHORISATION)
    assert subscriber.received == []


async def test_a_server_of_tokens_that_hangs_ends_with_the_total_time(hasty: Sender) -> None:
    async with subscribing(ACCEPTED) as subscriber, subscribing(silence) as server:
        outcome = await post(hasty, asking(subscriber, server))
    assert outcome in (Deferred(Trouble.TIMEOUT), Deferred(Trouble.AUTHORISATION))


async def test_the_server_of_tokens_stands_under_the_same_guard() -> None:
    inside = OAuth2Client("http://127.0.0.1:80/latest/meta-data", "mot-cua", "x")
    host = "webhook.cong-an.example.vn"
    there = Endpoint(f"https://{host}/", SigningKeys(KEY), frozenset({host}), inside)
    async with Sender(Reach()) as sender:
        assert await post(sender, there) == Deferred(Trouble.DOMAIN)
        unlisted = replace(inside, token_url="https://login.cong-an.example.vn/token")
        assert await post(sender, replace(there, authentication=unlisted)) == Deferred(Trouble.DOMAIN)

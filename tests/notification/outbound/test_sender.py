"""One webhook leaves the house, whatever waits for it outside."""

import asyncio
import gzip
import socket
import ssl
import time
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from standardwebhooks import Webhook

from services.notification.systems.delivery.domain import Accepted, Deferred, Gone, Outcome, Trouble
from services.notification.systems.outbound.clients import Endpoint, Sender
from services.notification.systems.outbound.domain import Reach
from services.notification.systems.outbound.signatures import Scheme, SigningKey, SigningKeys
from services.notification.systems.outbound.tls import ClientCertificate
from tests.notification.outbound.certificates import DAY, Authority
from tests.notification.outbound.conftest import KEY, LOOPBACK
from tests.notification.outbound.subscriber import (
    OK,
    Received,
    Subscriber,
    repeats,
    says,
    serving,
    silence,
    subscribing,
    tunnelling,
    writes,
)

MESSAGE = UUID("01949ab0-0000-7000-8000-000000000007")
BODY = '{"specversion":"1.0","type":"vn.motcua.dossier.DossierAccepted.v1","data":{"note":"hồ sơ"}}'.encode()
AGENCY = "webhook.cong-an.example.vn"


def endpoint(url: str, **more: Any) -> Endpoint:
    return Endpoint(url, SigningKeys(KEY), frozenset({AGENCY}), **more)


async def post(sender: Sender, to: Endpoint | Subscriber) -> Outcome:
    there = endpoint(to.url()) if isinstance(to, Subscriber) else to
    return await sender.post(there, MESSAGE, BODY, datetime.now(UTC))


async def timed(sending: Awaitable[Outcome]) -> tuple[Outcome, float]:
    started = time.perf_counter()
    return await sending, time.perf_counter() - started


# ── what is sent ──


async def test_a_webhook_is_a_cloud_event_that_the_official_library_verifies(sender: Sender) -> None:
    async with subscribing() as subscriber:
        answer = await post(sender, subscriber)

    (request,) = subscriber.received
    assert answer == Accepted(200)
    assert request.line == "POST /webhook?agency=1 HTTP/1.1"
    assert request.headers["content-type"].startswith("application/cloudevents+json")
    assert request.headers["webhook-id"] == str(MESSAGE)
    assert request.headers["user-agent"] == "MotCua-Webhooks/1"
    assert request.body == BODY
    assert Webhook(KEY.shown).verify(request.body, request.headers)["specversion"] == "1.0"


async def test_while_keys_are_rotated_the_new_and_the_old_one_both_verify(sender: Sender) -> None:
    new = SigningKey.new(Scheme.HMAC)
    async with subscribing() as subscriber:
        rotated = SigningKeys(KEY).rotated(new, datetime.now(UTC) + timedelta(hours=24))
        await post(sender, replace(endpoint(subscriber.url()), keys=rotated))

    (request,) = subscriber.received
    for key in (new, KEY):
        assert Webhook(key.shown).verify(request.body, request.headers)


async def test_a_connection_is_kept_for_the_next_message(sender: Sender) -> None:
    async with subscribing(says("202 Accepted", body=b"taken")) as subscriber:
        for _ in range(5):
            assert await post(sender, subscriber) == Accepted(202)
    assert (subscriber.connections, len(subscriber.received)) == (1, 5)


async def test_a_kept_connection_that_they_closed_meanwhile_is_no_failure(sender: Sender) -> None:
    async def first_only(request: Received, writer: asyncio.StreamWriter) -> None:
        if len(subscriber.received) == 2:
            writer.close()
            return
        await OK(request, writer)

    async with subscribing(first_only) as subscriber:
        assert [await post(sender, subscriber) for _ in range(2)] == [Accepted(200)] * 2
    assert subscriber.connections == 2


async def test_proxies_of_the_environment_are_not_looked_at(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with subscribing() as subscriber:
        assert await post(sender, subscriber) == Accepted(200)


async def test_an_egress_proxy_is_used_when_the_installation_names_one() -> None:
    async with subscribing() as proxy, Sender(LOOPBACK, proxy=f"http://127.0.0.1:{proxy.port}") as sender:
        assert await post(sender, endpoint("http://localhost:1234/webhook")) == Accepted(200)
    assert proxy.received[0].line == "POST http://localhost:1234/webhook HTTP/1.1"


# ── what comes back ──


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("201 Created", Accepted(201)),
        ("204 No Content", Accepted(204)),
        ("301 Moved Permanently", Deferred(Trouble.REDIRECT, 301)),
        ("400 Bad Request", Deferred(Trouble.STATUS, 400)),
        ("401 Unauthorized", Deferred(Trouble.STATUS, 401)),
        ("410 Gone", Gone()),
        ("429 Too Many Requests", Deferred(Trouble.STATUS, 429)),
        ("500 Internal Server Error", Deferred(Trouble.STATUS, 500)),
        ("799 What", Deferred(Trouble.STATUS, 799)),
    ],
)
async def test_a_status_says_what_became_of_it(sender: Sender, status: str, outcome: Outcome) -> None:
    async with subscribing(says(status)) as subscriber:
        assert await post(sender, subscriber) == outcome


@pytest.mark.parametrize(("asked", "least", "most"), [("7", 7, 7), ("", 57, 60), ("9999999", 86400, 86400)])
async def test_the_wait_that_they_ask_for_is_told(sender: Sender, asked: str, least: int, most: int) -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(minutes=1), usegmt=True)
    async with subscribing(says("429 Too Many Requests", f"Retry-After: {asked or in_a_minute}")) as subscriber:
        answer = await post(sender, subscriber)
    assert isinstance(answer, Deferred)
    assert answer.retry_after is not None
    assert least <= answer.retry_after.total_seconds() <= most


@pytest.mark.parametrize("asked", ["soon", "-3", "1e9", "Mon, 99 Nov 2026 00:00:00 GMT", "9" * 50])
async def test_a_nonsensical_wait_is_none(sender: Sender, asked: str) -> None:
    async with subscribing(says("503 Service Unavailable", f"Retry-After: {asked}")) as subscriber:
        assert await post(sender, subscriber) == Deferred(Trouble.STATUS, 503)


async def test_a_redirect_is_a_failure_and_is_not_followed(sender: Sender) -> None:
    async with subscribing() as inside:
        moved = says("307 Temporary Redirect", f"Location: http://127.0.0.1:{inside.port}/latest/meta-data")
        async with subscribing(moved) as subscriber:
            answer = await post(sender, subscriber)
    assert (answer, inside.connections) == (Deferred(Trouble.REDIRECT, 307), 0)


# ── hostile answers ──


async def test_an_answer_of_30_megabytes_costs_nothing(sender: Sender) -> None:
    async def huge(request: Received, writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 30000000\r\n\r\n"
        await repeats(subscriber, head, b"x" * 30_000, 1000)(request, writer)

    async with subscribing(huge) as subscriber:
        answer = await post(sender, subscriber)
        await asyncio.sleep(0)  # the subscriber hears that we left
    assert answer == Accepted(200)
    assert subscriber.sent < 8_000_000, "what the network's buffers took, no more"


async def test_a_body_that_drips_does_not_hold_us_up(sender: Sender) -> None:
    async def drip(request: Received, writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
        await repeats(subscriber, head, b"x", 1000, 0.01)(request, writer)

    async with subscribing(drip) as subscriber:
        answer, took = await timed(post(sender, subscriber))
    assert answer == Accepted(200)
    assert took < 3, "it would drip for ten seconds"


async def test_headers_that_drip_end_with_the_total_time(hasty: Sender) -> None:
    async def drip(request: Received, writer: asyncio.StreamWriter) -> None:
        await repeats(subscriber, b"HTTP/1.1 200 OK\r\nX-A: ", b"x", 1000, 0.01)(request, writer)

    async with subscribing(drip) as subscriber:
        answer, took = await timed(post(hasty, subscriber))
    assert answer == Deferred(Trouble.TIMEOUT)
    assert 0.35 < took < 3


async def test_silence_ends_with_the_total_time(hasty: Sender) -> None:
    async with subscribing(silence) as subscriber:
        answer, took = await timed(post(hasty, subscriber))
    assert answer == Deferred(Trouble.TIMEOUT)
    assert 0.35 < took < 3


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 OK\r\n\r\n", id="no status"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-A: " + b"x" * 60_000 + b"\r\n\r\n", id="a huge header"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X-A: x\r\n" * 5000 + b"\r\n", id="thousands of headers"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", id="a negative length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", id="two lengths"),
    ],
)
async def test_what_is_no_http_is_said_so(sender: Sender, raw: bytes) -> None:
    async with subscribing(writes(raw)) as subscriber:
        answer = await post(sender, subscriber)
    assert answer == Deferred(Trouble.ANSWER)


async def test_endless_headers_are_not_kept(sender: Sender) -> None:
    async def endless(request: Received, writer: asyncio.StreamWriter) -> None:
        await repeats(subscriber, b"HTTP/1.1 200 OK\r\n", b"X-A: x\r\n" * 1000, 100_000)(request, writer)

    async with subscribing(endless) as subscriber:
        answer = await post(sender, subscriber)
    assert answer == Deferred(Trouble.ANSWER)
    assert subscriber.sent < 8_000_000


async def test_a_compressed_bomb_is_never_unpacked(sender: Sender) -> None:
    """As it comes it is short, so the connection is kept; unpacked it would be too long for that."""
    bomb = gzip.compress(bytes(3_000_000))
    async with subscribing(says("200 OK", "Content-Encoding: gzip", body=bomb)) as subscriber:
        assert [await post(sender, subscriber) for _ in range(2)] == [Accepted(200)] * 2
    assert subscriber.connections == 1


async def test_a_connection_closed_before_an_answer_is_a_failure(sender: Sender) -> None:
    for raw in (b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Le"):
        async with subscribing(writes(raw)) as subscriber:
            answer = await post(sender, subscriber)
        assert (answer, subscriber.connections) == (Deferred(Trouble.CLOSED), 1)


async def test_a_connection_closed_within_the_body_has_told_its_status_already(sender: Sender) -> None:
    async with subscribing(writes(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")) as subscriber:
        assert await post(sender, subscriber) == Accepted(200)
        assert await post(sender, subscriber) == Accepted(200)


async def test_where_nobody_listens_is_unreachable(sender: Sender) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        answer = await post(sender, endpoint(f"http://127.0.0.1:{nobody.getsockname()[1]}/"))
    assert answer == Deferred(Trouble.CONNECTION)


async def test_a_dead_subscriber_holds_up_nobody_else(sender: Sender) -> None:
    async with subscribing(silence) as dead, subscribing() as alive:
        waiting = [asyncio.create_task(post(sender, dead)) for _ in range(50)]
        assert [await post(sender, alive) for _ in range(10)] == [Accepted(200)] * 10
        assert not any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


# ── TLS ──

UNWELCOME = (Deferred(Trouble.TLS), Deferred(Trouble.CLOSED))
"""Not every server sends an alert before it leaves."""


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.new()


async def _over_tls(sender: Sender, context: ssl.SSLContext, trusted: Authority, **more: Any) -> Outcome:
    async with subscribing(tls=context) as subscriber:
        return await post(sender, endpoint(subscriber.url(), authority=trusted.pem, **more))


async def test_a_private_authority_is_trusted_where_the_subscription_says_so(
    sender: Sender, authority: Authority, tmp_path: Path
) -> None:
    context = serving(*authority.issue("localhost"), tmp_path)
    assert await _over_tls(sender, context, authority) == Accepted(200)
    async with subscribing(tls=context) as subscriber:
        assert await post(sender, subscriber) == Deferred(Trouble.CERTIFICATE_UNTRUSTED)
    assert await _over_tls(sender, context, Authority.new("another")) == Deferred(Trouble.CERTIFICATE_UNTRUSTED)
    assert subscriber.received == []


@pytest.mark.parametrize(
    ("host", "until", "trouble"),
    [
        ("localhost", -DAY, Trouble.CERTIFICATE_EXPIRED),
        ("webhook.bhxh.example.vn", DAY, Trouble.CERTIFICATE_HOST),
    ],
)
async def test_a_wrong_certificate_is_named(
    sender: Sender, authority: Authority, tmp_path: Path, host: str, until: timedelta, trouble: Trouble
) -> None:
    answer = await _over_tls(sender, serving(*authority.issue(host, until=until), tmp_path), authority)
    assert answer == Deferred(trouble)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
async def test_tls_before_1_2_is_not_spoken(sender: Sender, authority: Authority, tmp_path: Path) -> None:
    old = serving(*authority.issue("localhost"), tmp_path)
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    assert await _over_tls(sender, old, authority) in UNWELCOME


async def test_a_handshake_that_never_ends_is_a_connect_timeout(hasty: Sender) -> None:
    async with subscribing(silence) as plain:
        answer = await post(hasty, endpoint(f"https://localhost:{plain.port}/"))
    assert answer == Deferred(Trouble.CONNECT_TIMEOUT)


async def test_behind_an_egress_proxy_tls_is_still_spoken_with_the_subscriber(
    authority: Authority, tmp_path: Path
) -> None:
    async with (
        subscribing(tls=serving(*authority.issue(AGENCY), tmp_path)) as subscriber,
        tunnelling(subscriber.port) as (proxy, asked),
        Sender(Reach(ports=frozenset({subscriber.port})), proxy=proxy) as sender,
    ):
        there = endpoint(subscriber.url(AGENCY), authority=authority.pem)
        assert await post(sender, there) == Accepted(200)
        untrusted = await post(sender, endpoint(subscriber.url(AGENCY)))
    assert asked[0] == f"CONNECT {AGENCY}:{subscriber.port} HTTP/1.1"
    assert untrusted == Deferred(Trouble.CERTIFICATE_UNTRUSTED)


async def test_our_certificate_is_shown_to_who_asks_for_it(
    sender: Sender, authority: Authority, tmp_path: Path
) -> None:
    asking = serving(*authority.issue("localhost"), tmp_path)
    asking.load_verify_locations(cadata=authority.pem)
    asking.verify_mode = ssl.CERT_REQUIRED
    chain, key = authority.issue("motcua.anbinh.example.vn")

    shown = ClientCertificate(chain.decode(), key.decode())
    async with subscribing(tls=asking) as subscriber:
        there = endpoint(subscriber.url(), authority=authority.pem)
        without = await post(sender, there)
        answer = await post(sender, replace(there, authentication=shown))

    assert without in UNWELCOME
    assert answer == Accepted(200)
    assert [request.certificate for request in subscriber.received] == [True]
    assert key.decode() not in repr(there) + repr(shown)


# ── whereto ──


class NameServer:
    """The outside world's: what a name leads to is ours to say, also something else the next time."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    def getaddrinfo(self, host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        self.asked += 1
        found = self.answers[min(self.asked, len(self.answers)) - 1]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [_info(address, port) for address in found]


def _info(address: str, port: int) -> tuple[Any, ...]:
    if ":" in address:
        return socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)


@pytest.mark.parametrize(
    "addresses",
    [["10.0.0.8"], ["169.254.169.254"], ["::ffff:127.0.0.1"], ["fd00::1"], ["64:ff9b::a00:1"], ["8.8.8.8", "10.0.0.8"]],
)
async def test_a_name_that_leads_inside_is_not_connected_to(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", NameServer(addresses).getaddrinfo)
    answer = await post(sender, endpoint(f"https://{AGENCY}/webhook"))
    assert answer == Deferred(Trouble.ADDRESS)


async def test_a_name_is_looked_up_once_so_it_cannot_lead_elsewhere_afterwards(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = NameServer(["127.0.0.1"], ["127.0.0.2"])
    monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
    async with subscribing(tls=serving(*authority.issue(AGENCY), tmp_path)) as subscriber:
        reach = replace(LOOPBACK, ports=frozenset({subscriber.port}))
        async with Sender(reach) as sender:
            answer = await post(sender, endpoint(subscriber.url(AGENCY), authority=authority.pem))
    assert (answer, names.asked, subscriber.connections) == (Accepted(200), 1, 1)
    assert subscriber.received[0].headers["host"] == f"{AGENCY}:{subscriber.port}"


async def test_a_bare_loopback_address_is_no_way_in_outside_of_a_local_run() -> None:
    async with subscribing() as inside, Sender(Reach()) as sender:
        for host in ("127.0.0.1", "localhost"):
            answer = await post(sender, endpoint(f"http://{host}:{inside.port}/"))
            assert answer == Deferred(Trouble.DOMAIN)
    assert inside.connections == 0


async def test_a_domain_that_was_taken_off_the_list_is_sent_nothing_more(sender: Sender) -> None:
    answer = await sender.post(
        replace(endpoint(f"https://{AGENCY}/"), domains=frozenset()), uuid4(), BODY, datetime.now(UTC)
    )
    assert answer == Deferred(Trouble.DOMAIN)


async def test_an_unknown_name_is_said_so(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", NameServer([]).getaddrinfo)
    assert await post(sender, endpoint(f"https://{AGENCY}/")) == Deferred(Trouble.NAME)

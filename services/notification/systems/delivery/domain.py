"""What goes out to another system, and what may become of it.

The engine (order, repetition, circuit breaker, the list of attempts) is the same for every kind of destination; a
destination only knows how to hand over one event, once.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One event on its way to one destination."""

    event_id: UUID
    """The same as on Kafka (`ce_id`), however often it is sent: receivers recognise a repetition by it."""
    ce_type: str
    channel: str
    dossier_code: str
    version: int
    """Place of the event in the history of its dossier on this channel: 1, 2, 3 … without a gap."""
    occurred_at: datetime
    body: bytes
    """The structured CloudEvent (`application/cloudevents+json`), byte for byte the same at every attempt."""
    traceparent: str | None = None
    replayed: bool = False
    """It was asked for again: sent before, or passed over."""
    previous_version: int | None = None
    """The version that this destination was sent before this one, of the same dossier and channel; None for the first.
    Whoever filters by type finds gaps by this, everybody else by `version` itself."""


class Trouble(StrEnum):
    """Why an attempt did not succeed, as the subscriber sees it; never a body, an address or an exception's text."""

    CONNECTION = "connection"
    """No connection: nobody listens, or there is no way to them."""
    CLOSED = "closed"
    """The connection was closed before an answer; servers also do so when they dislike our TLS or certificate."""
    CONNECT_TIMEOUT = "connect_timeout"
    """The connection or its TLS handshake took too long: often a firewall."""
    TIMEOUT = "timeout"
    """No answer in time."""
    NAME = "name"
    """The host name is not known."""
    ADDRESS = "address"
    """The name leads to an address that may not be called (private, loopback, link-local)."""
    DOMAIN = "domain"
    """The address is not, or no longer, within the domains and ports agreed with the agency."""
    TLS = "tls"
    """The handshake failed."""
    CERTIFICATE_EXPIRED = "certificate_expired"
    """The server's certificate has expired or is not valid yet."""
    CERTIFICATE_HOST = "certificate_host"
    """The server's certificate is for another host."""
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"
    """The server's certificate leads to no authority that is trusted, or an intermediate one is missing."""
    AUTHORISATION = "authorisation"
    """The destination's authorisation server gave no token."""
    REDIRECT = "redirect"
    """It answered 3xx: redirects are not followed."""
    STATUS = "status"
    """It answered, but neither with 2xx nor 3xx."""
    ANSWER = "answer"
    """It accepted with an answer that cannot be read: too large, or not what the protocol says."""
    OURS = "ours"
    """A mistake of this installation's own; whoever runs it is told."""
    REJECTED = "rejected"
    """It understood the event and will never take it."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The other side has it."""

    status: int | None = None
    """Of the HTTP answer, where there is one."""


@dataclass(frozen=True, slots=True)
class Deferred:
    """It may succeed later: the same event is tried again, for up to three days."""

    trouble: Trouble
    status: int | None = None
    retry_after: timedelta | None = None
    """How long the other side wants to be left alone."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The other side will never take this event. It is given up at once, and the dossier's next one goes on."""

    trouble: Trouble = Trouble.REJECTED
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """The other side wants no more (410): the subscription is disabled."""

    status: int = 410


Outcome = Accepted | Deferred | Refused | Gone


class Destination(Protocol):
    """Where events of one subscription go."""

    async def deliver(self, outgoing: Outgoing, attempt: int) -> Outcome:
        """Hand it over; `attempt` counts from 1. What goes wrong outside is an outcome, not an exception: an exception
        is a mistake of ours, and is treated as `Deferred` after it was logged."""
        ...


# ── when it is tried again ──

PATIENCE = timedelta(days=3)
"""How long one event is tried, and how long a subscription may accept nothing, before it is given up."""
PAUSES = tuple(
    timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800)
)  # fmt: skip
"""After the first failed attempt, the second …; the last one repeats. About 13 attempts in three days."""
BREAKS_AFTER = 10
"""Failures in a row, of whatever events, after which a subscription is left alone but for one request at a time."""
AWAY = timedelta(minutes=1)
"""Who accepted nothing for so long was away, and when it is back everything that waits is tried at once."""
LONGEST_BREAK = timedelta(seconds=60)
LONGEST_RETRY_AFTER = timedelta(days=1)


def again_after(attempt: int, spread: float) -> timedelta:
    """The pause after that failed attempt, up to a fifth more or less: `spread` from 0 to 1 says where."""
    return PAUSES[min(attempt, len(PAUSES)) - 1] * (0.8 + 0.4 * spread)


def break_after(opened: int, spread: float) -> timedelta:
    """How long the circuit breaker stays open: 1 s, 2 s, 4 s … a minute, while nothing is accepted."""
    return min(timedelta(seconds=2.0 ** min(opened - 1, 10)), LONGEST_BREAK) * (0.8 + 0.4 * spread)

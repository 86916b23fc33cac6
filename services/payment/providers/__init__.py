"""Ways to pay that exist outside, behind one port: begin → redirect or QR → signed call → query → refund.

A provider knows its own protocol and nothing of bills: it turns what it is told into a `Report`, and a `Verdict`
into the answer that its protocol demands. Network calls are made outside any transaction, with a timeout.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from contracts.payment import PaymentMethod
from services.payment.domain import Capture, PaymentAttempt, Report, Verdict

TIMEOUT = 10.0
"""Seconds that a provider may take to answer us."""


@dataclass(frozen=True, slots=True)
class Started:
    """What the payer does next: follow a redirect, or scan a code."""

    redirect_url: str | None = None
    qr: str | None = None
    """Payload of a QR code (EMVCo), to be drawn by whoever shows it."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call from outside that claims to be a provider's."""

    query: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider's protocol expects of us."""

    code: str
    """Kept beside the call, for people who look into it."""
    settled: bool
    """False when the provider is expected to call again."""
    status: int = 200
    body: dict[str, Any] | None = None


class Unbelievable(Exception):
    """The call is not from the provider, not for us, or not readable: nothing in it may have an effect."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.code)
        self.answer = answer


class Unsupported(Exception):
    """The provider has no such service; a person has to do it."""


class Declined(Exception):
    """The provider said no for good; the message is its code."""


class Away(Exception):
    """The provider did not answer, or not in its protocol: ask again later."""


@dataclass(frozen=True, slots=True)
class Refunded:
    """The provider gave the money back."""

    transaction: str
    """The provider's number of the refund."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for: plain ASCII, no personal data."""

    dossier_code: str
    info: str
    return_url: str
    address: str
    """The payer's IP address, which some providers ask for; it is not kept."""


def evidence_of(fields: Mapping[str, Any], names: Iterable[str]) -> dict[str, str]:
    """What is kept of a call: the named fields, shortened, without what a stranger may have added."""
    return {name: str(fields[name]).replace("\0", "")[:255] for name in names if name in fields}


class Provider(Protocol):
    """A way to pay. `Away` may be raised by whatever talks to the network."""

    name: str
    method: PaymentMethod
    life: timedelta
    """After that an attempt is over, and money that still comes goes back."""

    def reference(self, attempt_id: UUID) -> str:
        """Our name for the attempt, in the form that the provider accepts."""

    async def begin(self, attempt: PaymentAttempt, order: Order) -> Started:
        """Ask for the money. Repeating it for the same attempt asks once."""

    def hear(self, call: Call) -> Report:
        """What the provider says in this call; `Unbelievable` unless it is signed, for us, and readable."""

    def answer(self, verdict: Verdict) -> Answer: ...

    def evidence(self, call: Call) -> dict[str, str]:
        """What is kept of a call, believed or not: known fields only, none of them personal."""

    async def query(self, attempt: PaymentAttempt) -> Report | None:
        """What became of the attempt; None while nothing is decided. `Unsupported` when it cannot be asked."""

    async def refund(self, capture: Capture, refund_id: UUID) -> Refunded:
        """Give the whole amount back. Repeating it with the same id pays back once. `Declined`, `Unsupported`."""

"""Text messages: one port, and the providers that a province has a contract with."""

import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol
from uuid import UUID

from contracts.notification import FailureReason
from kit.settings import load
from services.notification.people.providers import Undeliverable, weights
from services.notification.people.providers.esms import Esms
from services.notification.people.providers.viettel import Viettel
from services.notification.people.providers.weights import Health
from services.notification.settings import Settings

PHONE = re.compile(r"(?:\+?84|0)([35789][0-9]{8})")
"""A mobile number of Viet Nam as people write it; the group is what every provider's own form is made of."""


class SmsProvider(Protocol):
    """A way to phones."""

    @property
    def name(self) -> str:
        """As attempts and weights name it."""

    async def send(self, message_id: UUID, phone: str, text: str, receipts: str | None) -> None:
        """Hand over a text for `phone` (nine digits). Returns when the provider has it, whenever it took it.

        Raises Undeliverable (never), NotTaken (surely not, maybe later) or Unclear (it may have it).
        """


def number(phone: str) -> str:
    """The nine digits that name a phone of Viet Nam; Undeliverable for what is no number."""
    if found := PHONE.fullmatch(re.sub(r"[\s.()-]", "", phone)):
        return found[1]
    raise Undeliverable(FailureReason.REJECTED, "not a phone number")


@dataclass
class Providers:
    """Those with a contract, and how they did lately, as this process saw it."""

    known: Sequence[SmsProvider]
    weights: dict[str, int]
    healths: dict[str, Health] = field(default_factory=dict)

    def to_ask(self, only: str | None = None) -> list[SmsProvider]:
        """Whom to ask, one after the other: all, or that one alone which may have the message already."""
        by_name = {provider.name: provider for provider in self.known}
        if only in by_name:
            return [by_name[only]]
        now = time.monotonic()
        shares = {name: weights.share(self.weights.get(name, 1), self._health(name), now) for name in by_name}
        return [by_name[name] for name in weights.order(shares, random.random())]  # noqa: S311 (no secret)

    def worked(self, name: str) -> None:
        self.healths[name] = weights.worked(self._health(name), time.monotonic())

    def failed(self, name: str) -> None:
        self.healths[name] = weights.failed(self._health(name), time.monotonic())

    def _health(self, name: str) -> Health:
        return self.healths.get(name, Health())


@cache
def providers() -> Providers:
    """Those that the settings name."""
    s = load(Settings)
    known: list[SmsProvider] = []
    if s.sms_url:
        known.append(Esms(s.sms_url, s.sms_key, s.sms_secret, s.sms_brandname))
    if s.viettel_url:
        known.append(Viettel(s.viettel_url, s.viettel_user, s.viettel_password, s.viettel_cp_code, s.sms_brandname))
    return Providers(known, s.sms_weights)

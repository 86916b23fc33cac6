"""The national portal as a destination: one event becomes the calls that are due.

Nothing is remembered here. Every delivery begins by asking the portal what it has, so a crash between any two calls, a
lost answer, a repetition and a replay all end in the same: what is missing is added, what is there stays.
"""

import asyncio
import json
from collections.abc import Mapping
from weakref import WeakValueDictionary

import httpx2
import structlog

from contracts.dossier import DossierEvent
from contracts.envelope import Event
from contracts.payment import PaymentEvent
from contracts.registry import CHANNELS
from kit.db import Database
from kit.problems import Unavailable
from kit.settings import load
from services.notification.people.tenant import province
from services.notification.settings import Settings
from services.notification.systems.delivery.domain import Deferred, Destination, Outcome, Outgoing, Trouble
from services.notification.systems.national import clients, domain
from services.notification.systems.national.clients import TAKEN, NotTaken, Portal
from services.notification.systems.national.domain import Json, Known, News
from services.notification.systems.subscriptions.domain import Subscription

log = structlog.get_logger()

_BY_TYPE = {channel.type_of(event): event for channel in CHANNELS for event in channel.events}


def event_of(ce_type: str, body: bytes) -> DossierEvent | PaymentEvent | None:
    """The event in a structured CloudEvent; None for a type that this version does not know."""
    kind: type[Event] | None = _BY_TYPE.get(ce_type)
    if kind is None:
        return None
    event = kind.model_validate(json.loads(body)["data"])
    assert isinstance(event, DossierEvent | PaymentEvent)  # noqa: S101 (narrows the type)
    return event


class National:
    """Where the events of the whole province go, one dossier at a time: its two channels write the same record."""

    def __init__(self, portal: Portal, unit_names: Mapping[str, str]) -> None:
        self.portal, self.unit_names = portal, unit_names
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def deliver(self, outgoing: Outgoing, attempt: int) -> Outcome:
        """Bring the portal to where the event left the dossier, unless it is there or further."""
        event = event_of(outgoing.ce_type, outgoing.body)
        news = domain.news_of(event) if event else None
        if event is None or news is None:
            return TAKEN
        turn = self._turns.setdefault(outgoing.dossier_code, asyncio.Lock())
        try:
            async with turn:
                await self._synchronise(event, news)
        except NotTaken as no:
            return no.outcome
        except httpx2.TimeoutException:
            return Deferred(Trouble.TIMEOUT)
        except (httpx2.TransportError, Unavailable):
            return Deferred(Trouble.CONNECTION)
        return TAKEN

    async def _synchronise(self, event: DossierEvent | PaymentEvent, news: News) -> None:
        code = event.dossier_code
        known = await self.portal.look_up(code)
        if known is None and not news.text:
            return  # what happened to fees before it is known there comes with the record of its filing
        said = await clients.record_of(code)
        if known is None:
            await self.portal.reserve(said["procedure_code"], code)
        files = await self._uploaded(said, known)
        status = known.status if known else domain.first_status(said, news)
        await self.portal.synchronise(domain.record_of(said, news, status, files), updating=known is not None)
        if news.text:
            await self._progress(event, news, known or Known(status, (), files), said)

    async def _uploaded(self, said: Json, known: Known | None) -> dict[str, str]:
        """The portal's number of every file of the record; those that it does not have are sent, one after another."""
        has = dict(known.files) if known else {}
        for sha256, file in domain.files_of(said).items():
            if sha256 not in has:
                has[sha256] = await self.portal.upload(await clients.file_at(file["url"], sha256), sha256, file["name"])
        return has

    async def _progress(self, event: DossierEvent | PaymentEvent, news: News, known: Known, said: Json) -> None:
        moment, text = domain.line_of(event, news)
        if not domain.told_before(known, moment, text):
            await self.portal.add_progress(domain.progress_of(event, news, known.status, said, self.unit_names))
        if news.status and domain.status_is_due(known, news, moment, text):
            await self.portal.change_status(event.dossier_code, news.status)


async def open_national(portal: Portal, _: Database, __: Subscription) -> Destination | None:
    """The destination of the portal's subscription; None while nobody said where the portal is."""
    return National(portal, province().unit_names) if load(Settings).national_sync_url else None

"""Kafka in: news of dossiers and of their fees is told to people, and kept for other systems."""

from contracts.dossier import DOSSIERS, DossierEvent
from contracts.payment import PAYMENTS, PaymentEvent
from kit.db import Connection
from kit.inbox import Inbox
from services.notification.people import subscribers as people
from services.notification.systems.journal import subscribers as journal

inbox = Inbox("notification")
inbox.keeps(journal.keep)


@inbox.hears(DOSSIERS)
async def on_dossier(tx: Connection, event: DossierEvent) -> None:
    await people.on_dossier(tx, event)


@inbox.hears(PAYMENTS)
async def on_payment(tx: Connection, event: PaymentEvent) -> None:
    await people.on_payment(tx, event)

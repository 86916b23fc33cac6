"""Kafka in: news of dossiers and of their fees is told to people."""

from contracts.dossier import DOSSIERS, DossierEvent
from contracts.payment import PAYMENTS, PaymentEvent
from kit.db import Connection
from kit.inbox import Inbox
from services.notification.people import subscribers as people

inbox = Inbox("notification")


@inbox.hears(DOSSIERS)
async def on_dossier(tx: Connection, event: DossierEvent) -> None:
    await people.on_dossier(tx, event)


@inbox.hears(PAYMENTS)
async def on_payment(tx: Connection, event: PaymentEvent) -> None:
    await people.on_payment(tx, event)

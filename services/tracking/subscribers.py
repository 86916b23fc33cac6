"""Kafka in: what the owners say becomes what people see, in a handful of statements a batch."""

from collections.abc import Sequence
from uuid import UUID

from contracts.dossier import DOSSIERS, DossierEvent
from contracts.identity import ACCOUNTS, AccountEvent
from contracts.notification import MESSAGES, MessageEvent
from contracts.payment import PAYMENTS, PaymentEvent
from kit.db import Connection
from kit.inbox import Inbox
from services.tracking.projection import domain, store
from services.tracking.projection.counting import domain as facts
from services.tracking.projection.counting import store as counters

inbox = Inbox("tracking")


@inbox.hears(DOSSIERS, batch=True)
async def on_dossiers(tx: Connection, events: Sequence[DossierEvent]) -> None:
    changes = domain.merged((event.dossier_code, domain.dossier_change(event)) for event in events)
    await store.project_dossiers(tx, changes)
    await store.keep_history(tx, DOSSIERS.owner, [domain.entry(event) for event in events])
    await counters.count(tx, facts.merged(events))
    await counters.keep_procedures(tx, facts.procedures(events))
    await store.heard(tx)


@inbox.hears(PAYMENTS, batch=True)
async def on_payments(tx: Connection, events: Sequence[PaymentEvent]) -> None:
    changes = domain.merged((event.dossier_code, domain.payment_change(event)) for event in events)
    await store.project_payments(tx, changes)
    await store.keep_history(tx, PAYMENTS.owner, [domain.entry(event) for event in events])
    await counters.count(tx, facts.merged(events))
    await store.heard(tx)


@inbox.hears(MESSAGES, batch=True)
async def on_messages(tx: Connection, events: Sequence[MessageEvent]) -> None:
    """A message that was given up never holds a dossier up, but its owner can see it."""
    await store.keep_messages(tx, domain.told(events))


@inbox.hears(ACCOUNTS, batch=True)
async def on_accounts(tx: Connection, events: Sequence[AccountEvent]) -> None:
    """A verified account can be recognised; one that is locked or closed cannot prove anything any more."""
    await store.project_accounts(tx, domain.known(events))


@inbox.forgets(ACCOUNTS)
async def on_account_erased(tx: Connection, account_ref: str) -> None:
    await store.forget_account(tx, UUID(account_ref))

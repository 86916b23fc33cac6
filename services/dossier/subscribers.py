"""Kafka in: what the payment service says about the fees of our dossiers, and identity about their people."""

from datetime import datetime
from uuid import UUID

import structlog

from contracts.dossier import Component, ComponentSource
from contracts.identity import ACCOUNTS, AccountClosed, AccountEvent, AccountLocked, AccountStandardised
from contracts.payment import PAYMENTS, FeePaid, FeeRefunded, FeeRequested, FeeWaived, PaymentEvent, ReceiptIssued
from kit.db import Connection
from kit.inbox import Inbox
from kit.problems import NotFound
from kit.settings import load
from services.dossier import tenant
from services.dossier.attachments import store as attachments
from services.dossier.attachments.domain import components_of
from services.dossier.clocks.acts import start_reception
from services.dossier.databases import store as lookups
from services.dossier.parties import store as parties
from services.dossier.processing import store
from services.dossier.processing.domain import Dossier, PaymentState, State
from services.dossier.processing.reception import domain as reception
from services.dossier.settings import Settings

log = structlog.get_logger()

inbox = Inbox("dossier")


@inbox.hears(PAYMENTS)
async def on_payment(tx: Connection, event: PaymentEvent) -> None:
    """A settled fee lets the result be signed; one that had to come first brings the dossier to the desk."""
    match event:
        case FeePaid(outstanding=0) | FeeWaived():
            await _settled(tx, event)
        case FeePaid() | FeeRequested() | FeeRefunded() | ReceiptIssued():
            return


async def _settled(tx: Connection, event: FeePaid | FeeWaived) -> None:
    try:
        dossier = await store.lock(tx, event.dossier_code)
    except NotFound:
        log.error("payment.dossier_unknown", code=event.dossier_code)
        return
    state = PaymentState.PAID if isinstance(event, FeePaid) else PaymentState.WAIVED
    if dossier.state is State.AWAITING_PREPAYMENT:
        moment = event.paid_at if isinstance(event, FeePaid) else event.occurred_at
        await _reach_desk(tx, dossier, state, moment)
    else:
        await store.save(tx, reception.settle(dossier, state))


async def _reach_desk(tx: Connection, dossier: Dossier, state: PaymentState, moment: datetime) -> None:
    """What was paid for first counts as submitted when it was paid."""
    sent = components_of(await attachments.files_of(tx, dossier.code))
    found = await lookups.found(tx, dossier.code) - {component.code for component in sent}
    data = tuple(Component(code=code, source=ComponentSource.DATABASE) for code in sorted(found))
    components = (*sent, *data)
    moved, said = reception.prepaid(dossier, components, state, moment)
    await store.save(tx, moved, said)
    await start_reception(tx, moved, tenant.load(load(Settings).tenant))


@inbox.hears(ACCOUNTS)
async def on_account(tx: Connection, event: AccountEvent) -> None:
    """Whoever proves who they are gets what was filed under their number, and under accounts that they had before."""
    match event:
        case AccountStandardised():
            for before in await parties.standardised(tx, event):
                await parties.give(tx, before, event.account_ref, event.occurred_at)
        case AccountLocked(superseded_by=UUID() as account):
            if await parties.ended(tx, event.account_ref, event.version):
                await parties.give(tx, event.account_ref, account, event.occurred_at)
        case AccountLocked() | AccountClosed():
            await parties.ended(tx, event.account_ref, event.version)


@inbox.forgets(ACCOUNTS)
async def on_account_erased(tx: Connection, account_ref: str) -> None:
    await parties.erase(tx, UUID(account_ref))

"""Kafka in: what the payment service says about the fees of our dossiers."""

import structlog

from contracts.payment import PAYMENTS, FeePaid, FeeRefunded, FeeRequested, FeeWaived, PaymentEvent, ReceiptIssued
from kit.db import Connection
from kit.inbox import Inbox
from kit.problems import NotFound
from kit.settings import load
from services.dossier import tenant
from services.dossier.attachments import store as attachments
from services.dossier.attachments.domain import components_of
from services.dossier.clocks.acts import start_reception
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
    if dossier.state is State.AWAITING_PREPAYMENT:
        await _reach_desk(tx, dossier, event)
    else:
        state = PaymentState.PAID if isinstance(event, FeePaid) else PaymentState.WAIVED
        await store.save(tx, reception.settle(dossier, state))


async def _reach_desk(tx: Connection, dossier: Dossier, event: FeePaid | FeeWaived) -> None:
    components = components_of(await attachments.files_of(tx, dossier.code))
    moved, said = reception.prepaid(dossier, components, event.occurred_at)
    await store.save(tx, moved, said)
    await start_reception(tx, moved, tenant.load(load(Settings).tenant))

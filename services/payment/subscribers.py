"""Kafka in: what dossiers cost is priced by the dossier service; here it becomes something to pay."""

from contracts.dossier import (
    DOSSIERS,
    DossierAccepted,
    DossierAwaitingPayment,
    DossierClosed,
    DossierEvent,
    DossierRejected,
    DossierStopped,
    DossierSubmitted,
    DossierWithdrawn,
    OwnerLinked,
)
from contracts.money import FeeTiming
from kit import ids
from kit.clock import now
from kit.db import Connection
from kit.inbox import Inbox
from services.payment import domain, store
from services.payment.domain import FeeAssessment

inbox = Inbox("payment")


@inbox.hears(DOSSIERS)
async def on_dossier(tx: Connection, event: DossierEvent) -> None:
    """Fee lines become a request to pay; a dossier that ends without a result is owed nothing more."""
    match event:
        case DossierAwaitingPayment():
            bill = domain.introduce(await store.open_bill(tx, event.dossier_code), event)
            fees = FeeAssessment(ids.new(), FeeTiming.BEFORE_ACCEPTANCE, event.fee_lines, event.due_at)
            await store.save(tx, *domain.request(bill, fees, now()))
        case DossierSubmitted() | OwnerLinked():
            bill = await store.open_bill(tx, event.dossier_code)
            await store.save(tx, domain.introduce(bill, event))
        case DossierAccepted():
            bill = await store.open_bill(tx, event.dossier_code)
            fees = FeeAssessment(ids.new(), event.fee_timing, event.fee_lines, due_at=None)
            await store.save(tx, *domain.request(bill, fees, now()))
        case DossierRejected() | DossierWithdrawn() | DossierStopped() | DossierClosed():
            bill = await store.open_bill(tx, event.dossier_code)
            await store.save(tx, *domain.end(bill))
        case _:
            return

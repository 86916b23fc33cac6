"""Results on their way by post: the order, and what becomes of it."""

from contracts.dossier import DeliveryMethod
from kit.clock import now
from kit.db import Connection, Database
from kit.settings import load
from kit.timers import Timer
from services.dossier import tenant
from services.dossier.processing import store as dossiers
from services.dossier.processing.domain import SYSTEM, State
from services.dossier.results import domain as results
from services.dossier.results import store as result_store
from services.dossier.results.handover import domain, store
from services.dossier.results.handover.domain import DeliveryState, Handover, Receiver
from services.dossier.results.handover.providers import vnpost
from services.dossier.results.handover.providers.vnpost import News
from services.dossier.settings import Settings
from services.dossier.tenant import Unit


async def order(db: Database, job: Timer) -> None:
    """The job: ask the post to fetch the result. Repeated as a job is, it orders one letter."""
    settings, shipment = load(Settings), await store.shipment_of(db, job.key)
    if shipment is None or shipment.state is not DeliveryState.READY:
        return
    dossier = await dossiers.read(db, job.key)
    unit = dossier.facts.competent_unit
    sender = tenant.load(settings.tenant).units.get(unit, Unit(unit, unit))
    item_code = await vnpost.order(settings, shipment, sender)
    async with db.transaction() as tx:
        await _advance(tx, News(job.key, DeliveryState.ORDERED, item_code, None))


async def told(tx: Connection, said: News) -> None:
    """The post said something: a letter that arrived ends the dossier (10), one that could not waits at the desk."""
    if await _advance(tx, said) and said.state is DeliveryState.DELIVERED:
        dossier, result = await dossiers.lock(tx, said.dossier_code), await result_store.read(tx, said.dossier_code)
        if dossier.state is State.RETURNED:
            return
        moment = now()
        returned, event = results.deliver(dossier, result, SYSTEM, moment, DeliveryMethod.POST)
        await dossiers.save(tx, returned, event)
        await store.remember(tx, Handover(dossier.code, DeliveryMethod.POST, Receiver.OWNER, moment))


async def _advance(tx: Connection, said: News) -> bool:
    """Whether this is news."""
    await dossiers.lock(tx, said.dossier_code)
    shipment = await store.shipment_of(tx, said.dossier_code)
    if shipment is None:
        return False
    after = domain.advance(shipment, said.state, now(), item_code=said.item_code, why=said.why)
    if after == shipment:
        return False
    await store.save_shipment(tx, after)
    return True

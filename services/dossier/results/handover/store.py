"""Hand-overs, addresses and shipments in the database."""

from datetime import datetime
from typing import Any

import asyncpg

from contracts.dossier import DeliveryMethod
from kit import timers
from kit.db import Connection, Database
from services.dossier.parties.store import particulars_of
from services.dossier.processing.domain import Dossier, State
from services.dossier.results.domain import Result, is_signed
from services.dossier.results.handover import domain
from services.dossier.results.handover.domain import Address, DeliveryState, Handover, Receiver, Shipment

POST = "post_order"
"""The job that asks the post office to fetch a result, keyed by the dossier's code."""

REMEMBER = """
INSERT INTO handover (dossier_code, channel, receiver, receiver_name, authorisation, originals_returned,
    papers_archived, override_reason, officer_ref, unit, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""


async def remember(tx: Connection, handover: Handover) -> None:
    """The one hand-over of a dossier."""
    await tx.execute(
        REMEMBER, handover.dossier_code, handover.channel, handover.receiver, handover.receiver_name,
        handover.authorisation, list(handover.originals_returned), list(handover.papers_archived),
        handover.override_reason, handover.officer_ref, handover.unit, handover.at,
    )  # fmt: skip


async def handed_over(tx: Connection, dossier: Dossier, result: Result, at: datetime) -> None:
    """What follows the publication: an online hand-over is remembered, a result for the post is on its way."""
    if dossier.state is State.RETURNED:
        await remember(tx, Handover(dossier.code, DeliveryMethod.ONLINE, Receiver.OWNER, at))
    elif dossier.facts.delivery == DeliveryMethod.POST and is_signed(result):
        await post(tx, dossier.code, at)


OF_DOSSIER = """
SELECT dossier_code, channel, receiver, at, receiver_name, authorisation, originals_returned, papers_archived,
    override_reason, officer_ref, unit
FROM handover WHERE dossier_code = $1
"""


async def of_dossier(db: Database | Connection, code: str) -> Handover | None:
    row = await db.fetchrow(OF_DOSSIER, code)
    if row is None:
        return None
    fields: dict[str, Any] = dict(row)
    fields |= {"channel": DeliveryMethod(row["channel"]), "receiver": Receiver(row["receiver"])}
    fields |= {name: tuple(row[name]) for name in ("originals_returned", "papers_archived")}
    return Handover(**fields)


# ── by post ───────────────────────────────────────────────────────────────────────────────────────────────────

SHIP = """
INSERT INTO shipment (dossier_code, state, receiver_name, address, phone, changed_at)
VALUES ($1, 'ready', $2, $3, $4, $5) ON CONFLICT (dossier_code) DO NOTHING
"""


async def post(tx: Connection, code: str, at: datetime) -> None:
    """The result goes to the address that was given for it, as it is at this moment (I-R4)."""
    to = domain.address_in((await particulars_of(tx, code)).reach)
    await tx.execute(SHIP, code, to.receiver_name, to.address, to.phone, at)
    await timers.schedule(tx, POST, code, at)


SHIPMENT = """
SELECT state, receiver_name, address, phone, changed_at, item_code, why FROM shipment WHERE dossier_code = $1
"""


async def shipment_of(db: Database | Connection, code: str) -> Shipment | None:
    row: asyncpg.Record | None = await db.fetchrow(SHIPMENT, code)
    if row is None:
        return None
    to = Address(row["receiver_name"], row["address"], row["phone"])
    return Shipment(code, DeliveryState(row["state"]), to, row["changed_at"], row["item_code"], row["why"])


SAVE_SHIPMENT = "UPDATE shipment SET state = $2, changed_at = $3, item_code = $4, why = $5 WHERE dossier_code = $1"


async def save_shipment(tx: Connection, shipment: Shipment) -> None:
    """The caller holds the row of its dossier."""
    await tx.execute(
        SAVE_SHIPMENT, shipment.dossier_code, shipment.state, shipment.changed_at, shipment.item_code, shipment.why
    )

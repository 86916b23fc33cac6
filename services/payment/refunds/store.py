"""Refunds in the database."""

from datetime import datetime
from typing import Any
from uuid import UUID

from kit import timers
from kit.db import Connection, Database
from kit.problems import NotFound
from services.payment.domain import Bill, Capture
from services.payment.refunds.domain import NothingToRefund, Refund, RefundState
from services.payment.store import REFUND

REQUEST = """
INSERT INTO refund_case
    (id, provider, transaction, dossier_code, attempt_id, assessment_id, amount, reason, opened_at, state, surplus,
     by_hand, proposer_ref)
SELECT $1, p.provider, p.transaction, p.dossier_code, p.attempt_id, p.assessment_id, p.amount, $3, $4, 'requested',
       false, false, $5
FROM posting p WHERE p.assessment_id = $2 AND p.pays AND p.movement = 'capture'
ON CONFLICT (provider, transaction) DO UPDATE
SET id = excluded.id, state = 'requested', reason = excluded.reason, opened_at = excluded.opened_at,
    proposer_ref = excluded.proposer_ref, approver_ref = NULL, note = NULL
WHERE refund_case.state = 'declined'
RETURNING id
"""


async def request(
    tx: Connection, bill: Bill, refund_id: UUID, assessment_id: UUID, officer: UUID, reason: str, now: datetime
) -> Refund:
    """Ask to give back what an assessment was paid with; NothingToRefund when that was asked already. The bill is
    locked, so its payment cannot change meanwhile."""
    if await tx.fetchval(REQUEST, refund_id, assessment_id, reason, now, officer) is None:
        raise NothingToRefund
    return await read(tx, refund_id)


COLUMNS = """
SELECT r.id, r.dossier_code, r.assessment_id, r.attempt_id, r.provider, a.reference, r.transaction, r.amount,
       a.created_at AS started_at, r.reason, r.surplus, r.state, r.by_hand, r.opened_at, r.proposer_ref,
       r.approver_ref, r.payer_ref, r.provider_txn, r.refunded_at, r.note
FROM refund_case r JOIN attempt a ON a.id = r.attempt_id
"""
READ = f"{COLUMNS} WHERE r.id = $1"


async def read(db: Database | Connection, refund_id: UUID) -> Refund:
    """The refund; NotFound when there is none. Whoever changes it holds its bill."""
    row = await db.fetchrow(READ, refund_id)
    if row is None:
        raise NotFound("Không có yêu cầu hoàn tiền này")
    return _refund(row)


OF_UNIT = f"""
{COLUMNS} JOIN bill b ON b.dossier_code = r.dossier_code
WHERE b.unit = $1 AND ($2 OR r.state IN ('requested', 'approved')) ORDER BY r.opened_at LIMIT 200
"""


async def of_unit(db: Database, unit: str, *, closed_too: bool) -> list[Refund]:
    """What waits for somebody at the unit, the oldest first; and what is over, if asked for."""
    return [_refund(row) for row in await db.fetch(OF_UNIT, unit, closed_too)]


SAVE = """
UPDATE refund_case SET state = $2, by_hand = $3, approver_ref = $4, payer_ref = $5, provider_txn = $6,
    refunded_at = $7, note = $8
WHERE id = $1
"""


async def save(tx: Connection, r: Refund) -> None:
    """The change; an approved refund that a provider can make is on its way."""
    await tx.execute(SAVE, r.id, r.state, r.by_hand, r.approver_ref, r.payer_ref, r.provider_txn, r.refunded_at, r.note)
    if r.state is RefundState.APPROVED and not r.by_hand:
        await timers.schedule(tx, REFUND, str(r.id), r.opened_at)


def _refund(row: Any) -> Refund:
    capture = Capture(row["provider"], row["reference"], row["transaction"], row["amount"], row["started_at"])
    return Refund(
        id=row["id"], dossier_code=row["dossier_code"], assessment_id=row["assessment_id"],
        attempt_id=row["attempt_id"], capture=capture, reason=row["reason"], surplus=row["surplus"],
        state=RefundState(row["state"]), by_hand=row["by_hand"], opened_at=row["opened_at"],
        proposer_ref=row["proposer_ref"], approver_ref=row["approver_ref"], payer_ref=row["payer_ref"],
        provider_txn=row["provider_txn"], refunded_at=row["refunded_at"], note=row["note"],
    )  # fmt: skip

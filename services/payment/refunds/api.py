"""Refunds, for the officers of the unit that collected: asked for by one, approved by another."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from kit import ids
from kit.auth import OfficerToken, officer, recent
from kit.db import Connection
from kit.http import Db, Now, Router, Tx
from kit.problems import NotFound
from services.payment import store as bills
from services.payment.receipts import store as receipts
from services.payment.refunds import domain, store
from services.payment.refunds.domain import Refund, RefundState

router = Router(prefix="/api/v1", tags=["refunds"])

Cashier = Annotated[OfficerToken, Depends(officer("cashier"))]
Leader = Annotated[OfficerToken, Depends(officer("leader"))]
Reader = Annotated[OfficerToken, Depends(officer("cashier", "leader", "inspector"))]


class RefundWish(BaseModel):
    """Give back what one assessment was paid with."""

    model_config = ConfigDict(extra="forbid")

    assessment_id: UUID
    reason: str = Field(min_length=10, max_length=500)
    """Why, in Vietnamese and without personal data: it is said to everybody who listens."""


class Decision(BaseModel):
    model_config = ConfigDict(extra="forbid")

    approve: bool
    note: str = Field(default="", max_length=500)
    """Why not, if not."""


class Transfer(BaseModel):
    """Money that a person transferred back."""

    model_config = ConfigDict(extra="forbid")

    transaction: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._/-]+$")
    """The bank's number of the transfer, or that of the cash voucher."""


class RefundView(BaseModel):
    id: UUID
    dossier_code: str
    assessment_id: UUID
    provider: str
    amount: int
    """In whole đồng."""
    reason: str
    state: RefundState
    by_hand: bool
    """A person has to transfer it."""
    surplus: bool
    """The money paid nothing."""
    opened_at: datetime
    refunded_at: datetime | None
    transaction: str | None
    note: str | None


class Refunds(BaseModel):
    items: list[RefundView]


@router.get("/refunds")
async def list_refunds(who: Reader, db: Db, closed: Annotated[bool, Query()] = False) -> Refunds:
    """Refunds of the officer's unit that wait for somebody, the oldest first; with `closed`, the others too."""
    return Refunds(items=[_view(refund) for refund in await store.of_unit(db, who.unit, closed_too=closed)])


@router.post("/dossiers/{code}/refunds", status_code=201)
async def request_refund(code: str, wish: RefundWish, who: Cashier, tx: Tx, now: Now) -> RefundView:
    """Ask to give a paid fee back. Another person approves it."""
    bill = await bills.lock_for(tx, code, who.unit)
    domain.may_request(bill, wish.assessment_id)
    return _view(await store.request(tx, bill, ids.new(), wish.assessment_id, who.ref, wish.reason, now))


@router.post("/refunds/{refund_id}/decision", dependencies=[Depends(recent(minutes=30))])
async def decide_refund(refund_id: UUID, decision: Decision, who: Leader, tx: Tx) -> RefundView:
    """Approve or decline; the provider is then asked at once, and a person where it cannot do it."""
    refund = await _locked(tx, refund_id, who)
    refund = domain.approve(refund, who.ref) if decision.approve else domain.decline(refund, who.ref, decision.note)
    await store.save(tx, refund)
    return _view(refund)


@router.post("/refunds/{refund_id}/transfer")
async def record_transfer(refund_id: UUID, transfer: Transfer, who: Cashier, tx: Tx, now: Now) -> RefundView:
    """The money of an approved refund was transferred by a person, who is not the one who approved it."""
    refund = domain.paid_out(await _locked(tx, refund_id, who), who.ref)
    return _view(await finish(tx, refund, transfer.transaction, now))


async def finish(tx: Connection, refund: Refund, transaction: str, now: datetime) -> Refund:
    """The money is back: ledger, receipts, refund and event together. The bill is locked."""
    bill = await bills.lock(tx, refund.dossier_code)
    if bill is None:
        raise NotFound
    bill, refund, said = domain.done(bill, refund, transaction, now)
    await bills.save(tx, bill, said)
    await store.save(tx, refund)
    if not refund.surplus:
        await receipts.cancel_of(tx, refund.assessment_id, "Đã hoàn phí, lệ phí", refund.approver_ref, now)
    return refund


async def _locked(tx: Connection, refund_id: UUID, who: OfficerToken) -> Refund:
    """The refund with its bill locked, as it is after waiting for that lock."""
    await bills.lock_for(tx, (await store.read(tx, refund_id)).dossier_code, who.unit)
    return await store.read(tx, refund_id)


def _view(refund: Refund) -> RefundView:
    return RefundView(
        id=refund.id,
        dossier_code=refund.dossier_code,
        assessment_id=refund.assessment_id,
        provider=refund.capture.provider,
        amount=refund.capture.amount,
        reason=refund.words,
        state=refund.state,
        by_hand=refund.by_hand,
        surplus=refund.surplus,
        opened_at=refund.opened_at,
        refunded_at=refund.refunded_at,
        transaction=refund.provider_txn,
        note=refund.note,
    )

"""HTTP in: what is owed, attempts to pay it, what the providers say, cash at the desk, and waivers."""

import re
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit
from uuid import UUID

import structlog
from fastapi import Depends, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from contracts.money import FeeLine
from contracts.payment import PaymentMethod
from contracts.refusal import Refusal
from kit import ids, timers
from kit.auth import OfficerToken, Public, officer
from kit.db import Connection, Database
from kit.http import Db, Later, Now, Router, Tx
from kit.problems import NotFound
from kit.settings import load
from services.payment import collecting, domain, store
from services.payment.domain import AssessmentState, Bill, Outcome, PaymentAttempt, Report
from services.payment.providers import Answer, Away, Call, Declined, Order, Provider, Started, Unbelievable
from services.payment.providers.registry import providers
from services.payment.settings import PaymentSettings
from services.payment.timers import EXPIRY, plan_question

log = structlog.get_logger()

router = Router(prefix="/api/v1", tags=["payment"])

Cashier = Annotated[OfficerToken, Depends(officer("cashier"))]
Waiver = Annotated[OfficerToken, Depends(officer("leader", "supervisor"))]

LONGEST_CALL = 64 * 1024
"""Bytes of a provider's call; theirs are below two thousand."""
CASHIER = "cashier"


class ReturnElsewhere(Refusal):
    """After paying, the browser comes back to our own pages and nowhere else."""

    status = 422
    title = "Địa chỉ quay về sau khi thanh toán không thuộc cổng dịch vụ công"
    title_en = "The return address is not one of this portal"


class ProviderNotOffered(Refusal):
    """`offered` names the ways to pay of this installation."""

    status = 422
    title = "Hình thức thanh toán này chưa được hỗ trợ"
    title_en = "This way to pay is not offered"


class ProviderAway(Refusal):
    """The provider does not answer; nothing was paid. Try again, or another provider."""

    status = 503
    title = "Đơn vị thanh toán đang không phản hồi, xin thử lại hoặc chọn hình thức khác"
    title_en = "The payment provider does not answer; try again or choose another one"


# What is owed.


class Assessed(BaseModel):
    """Lines that were asked for together; they are paid, waived and refunded together."""

    id: UUID
    state: AssessmentState
    amount: int
    """In whole đồng."""


class Fees(BaseModel):
    """What a dossier costs. Whoever has its code may see this, so nothing here says whose it is."""

    dossier_code: str
    version: int
    """Version of the dossier's payment facts, as in the events."""
    state: Literal["none", "requested", "paid", "waived", "refunded"]
    lines: list[FeeLine]
    amount: int
    """The sum of the lines, in whole đồng."""
    outstanding: int
    """What is still to be paid, in whole đồng."""
    assessments: list[Assessed]
    providers: list[str]
    """The ways to pay that are offered, such as `vnpay`, `momo`, `vietqr`."""


@router.get("/dossiers/{code}/fees", dependencies=[Public])
async def fees(code: str, db: Db) -> Fees:
    """The fee lines of a dossier, and whether they are paid."""
    bill = await store.read(db, code)
    if bill is None:
        raise NotFound
    return Fees(
        dossier_code=code,
        version=bill.version,
        state=_state(bill),
        lines=[line for assessment in bill.living for line in assessment.lines],
        amount=sum(assessment.amount for assessment in bill.living),
        outstanding=sum(assessment.amount for assessment in bill.open),
        assessments=[Assessed(id=a.id, state=a.state, amount=a.amount) for a in bill.living],
        providers=sorted(providers()) if bill.open else [],
    )


def _state(bill: Bill) -> Literal["none", "requested", "paid", "waived", "refunded"]:
    states = {assessment.state for assessment in bill.living}
    if AssessmentState.REQUESTED in states:
        return "requested"
    if AssessmentState.PAID in states:
        return "paid"
    if AssessmentState.WAIVED in states:
        return "waived"
    return "refunded" if states else "none"


# Attempts to pay.


class AttemptWish(BaseModel):
    """Pay what is owed on the dossier."""

    model_config = ConfigDict(extra="forbid")

    provider: str = Field(default="vnpay", pattern="^[a-z]{1,20}$")
    """One of `providers` of the dossier's fees."""
    return_url: str = Field(max_length=255, examples=["https://dichvucong.example.vn/thanh-toan/ket-qua"])
    """The page of the portal that the browser comes back to. Coming back proves nothing."""


class AttemptStarted(BaseModel):
    """Send the browser to `redirect_url`, or show `qr` as a QR code, before `expires_at`."""

    attempt_id: UUID
    redirect_url: str | None
    qr: str | None
    """Payload of a VietQR code; the payer's bank fills amount and purpose from it."""
    reference: str
    """Our name for the attempt: the purpose text of a transfer."""
    amount: int
    """In whole đồng."""
    expires_at: datetime


class AttemptView(BaseModel):
    attempt_id: UUID
    provider: str
    state: domain.AttemptState
    amount: int
    """In whole đồng."""
    expires_at: datetime


@router.post("/dossiers/{code}/attempts", status_code=201, dependencies=[Public])
async def start_attempt(
    code: str, wish: AttemptWish, request: Request, db: Db, later: Later, now: Now
) -> AttemptStarted:
    """Begin to pay what has been owed longest. Earlier attempts do not stand in the way.

    The attempt is kept before the provider hears of it, so that its news always finds one.
    """
    provider = _offered(wish.provider)
    _must_come_back(wish.return_url)
    attempt = await _keep(db, code, provider, now)
    order = Order(
        code, f"Nop phi ho so {_ascii(code)}", wish.return_url, request.client.host if request.client else "127.0.0.1"
    )
    started = await _begin(db, provider, attempt, order)
    tx = await later.begin()
    bill = await store.lock_attempt(tx, attempt.provider, attempt.reference)
    assert bill is not None  # noqa: S101 (it was kept above)
    await store.save(tx, domain.redirected(bill, attempt.reference))
    return AttemptStarted(
        attempt_id=attempt.id, redirect_url=started.redirect_url, qr=started.qr, reference=attempt.reference,
        amount=attempt.amount, expires_at=attempt.expires_at,
    )  # fmt: skip


async def _keep(db: Database, code: str, provider: Provider, now: datetime) -> PaymentAttempt:
    async with db.transaction() as tx:
        bill = await store.lock(tx, code)
        if bill is None:
            raise NotFound
        new = ids.new()
        bill, attempt = domain.start_attempt(bill, new, provider.name, provider.reference(new), now, provider.life)
        await store.save(tx, bill)
        await timers.schedule(tx, EXPIRY, attempt.reference, attempt.expires_at, {"provider": attempt.provider})
        await plan_question(tx, attempt, asked=0, now=now)
    return attempt


async def _begin(db: Database, provider: Provider, attempt: PaymentAttempt, order: Order) -> Started:
    try:
        return await provider.begin(attempt, order)
    except Away as away:
        log.warning("provider.away", provider=provider.name, reason=str(away))
        raise ProviderAway from away
    except Declined as no:
        log.error("provider.declined", provider=provider.name, reason=str(no))
        async with db.transaction() as tx:
            bill = await store.lock_attempt(tx, attempt.provider, attempt.reference)
            if bill:
                await store.save(tx, domain.refused(bill, attempt.reference))
        raise ProviderAway from no


def _ascii(code: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "", code)[:60]


@router.get("/attempts/{attempt_id}", dependencies=[Public])
async def attempt(attempt_id: UUID, db: Db) -> AttemptView:
    """How an attempt stands: for the page that the payer sees after coming back."""
    found = await store.attempt(db, attempt_id)
    if found is None:
        raise NotFound
    return AttemptView(
        attempt_id=found.id, provider=found.provider, state=found.state, amount=found.amount,
        expires_at=found.expires_at,
    )  # fmt: skip


def _offered(name: str) -> Provider:
    offered = providers()
    if name not in offered:
        raise ProviderNotOffered(offered=sorted(offered))
    return offered[name]


def _must_come_back(url: str) -> None:
    if urlsplit(url)[:2] != urlsplit(load(PaymentSettings).gateway_url)[:2]:
        raise ReturnElsewhere


# What the providers say.


@router.api_route("/callbacks/{name}", methods=["GET", "POST"], dependencies=[Public], include_in_schema=False)
async def provider_calls(name: str, request: Request, later: Later, now: Now) -> Response:
    """A provider says how an attempt ended. Its signature is the authorisation; we answer after the commit."""
    provider = providers().get(name)
    if provider is None:
        raise NotFound
    call = Call(dict(request.query_params), await _body(request))
    answer = await _hear(await later.begin(), provider, call, now)
    if not answer.settled:
        log.warning("callback.refused", provider=name, reason=answer.code)
    return _as_response(answer)


async def _hear(tx: Connection, provider: Provider, call: Call, now: datetime) -> Answer:
    """Believed or not, every call is kept."""
    try:
        answer = provider.answer(await collecting.settle(tx, provider.hear(call), now))
    except Unbelievable as refused:
        answer = refused.answer
    await store.keep_call(tx, provider.name, provider.evidence(call), answer.code)
    return answer


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_CALL:
            return b""  # no provider's: it will not be believed
    return body


def _as_response(answer: Answer) -> Response:
    if answer.body is None:
        return Response(status_code=answer.status)
    return JSONResponse(answer.body, answer.status)


# At the desk.


class CashPayment(BaseModel):
    """Money that a cashier took for what has been owed longest."""

    model_config = ConfigDict(extra="forbid")

    method: Literal["cash", "transfer"]
    """Cash, or a bank transfer that the cashier found on the account."""
    amount: int = Field(gt=0)
    """What was taken, in whole đồng; it must be exactly what is owed."""
    transaction: str | None = Field(default=None, min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._/-]+$")
    """The bank's number of the transfer; needed for a transfer."""


class Waive(BaseModel):
    """Lift what is owed (miễn phí, lệ phí)."""

    model_config = ConfigDict(extra="forbid")

    assessment_id: UUID
    reason: str = Field(min_length=5, max_length=300)
    """The ground of exemption, in Vietnamese and without personal data: everybody who listens reads it."""
    document_ref: str | None = Field(default=None, max_length=200)
    """Opaque reference of the document that proves the ground."""


class Settled(BaseModel):
    """How the dossier's money stands after the act."""

    dossier_code: str
    version: int
    outstanding: int
    """In whole đồng."""


class OtherAmount(Refusal):
    """Cash is taken for exactly what is owed; `expected` says how much that is."""

    status = 422
    title = "Số tiền không đúng với khoản phải nộp"
    title_en = "The amount is not what is owed"


class TransferUsed(Refusal):
    """One transfer pays one fee."""

    title = "Giao dịch chuyển khoản này đã được dùng để nộp một khoản khác"
    title_en = "This transfer has paid for something already"


class TransferNumberMissing(Refusal):
    status = 422
    title = "Nộp bằng chuyển khoản phải ghi số giao dịch của ngân hàng"
    title_en = "A bank transfer needs the bank's transaction number"


@router.post("/dossiers/{code}/cash-payments", status_code=201)
async def take_cash(code: str, paid: CashPayment, who: Cashier, tx: Tx, now: Now) -> Settled:
    """The cashier took the money; receipts follow as for every payment."""
    bill = await store.lock_for(tx, code, who.unit)
    if paid.method == "transfer" and paid.transaction is None:
        raise TransferNumberMissing
    if paid.transaction and await store.is_booked(tx, CASHIER, paid.transaction):
        raise TransferUsed
    new = ids.new()
    bill, attempt = domain.start_attempt(bill, new, CASHIER, new.hex, now)
    if paid.amount != attempt.amount:
        raise OtherAmount(expected=attempt.amount)
    await store.save(tx, bill)
    method = PaymentMethod(paid.method)
    await store.keep_cashier(tx, attempt, who.ref, who.unit, method)
    transaction = paid.transaction or new.hex
    report = Report(CASHIER, attempt.reference, Outcome.SUCCEEDED, paid.amount, transaction, now, method)
    return _settled(await collecting.pay(tx, bill, report, now))


@router.post("/dossiers/{code}/waivers", status_code=201)
async def waive_fee(code: str, wish: Waive, who: Waiver, tx: Tx, now: Now) -> Settled:
    """An officer with that right lifts what is owed, naming the ground and its document."""
    bill = await store.lock_for(tx, code, who.unit)
    waived, said = domain.waive(bill, wish.assessment_id, who.ref, wish.reason, wish.document_ref, now)
    await store.save(tx, waived, said)
    await store.keep_waiver(tx, wish.assessment_id, who.ref, said)
    return _settled(waived)


def _settled(bill: Bill) -> Settled:
    return Settled(dossier_code=bill.dossier_code, version=bill.version, outstanding=sum(a.amount for a in bill.open))

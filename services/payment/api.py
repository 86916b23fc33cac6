"""HTTP in: what is owed, attempts to pay it, what the providers say, and the receipts."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal
from urllib.parse import urlsplit
from uuid import UUID

import structlog
from fastapi import Request
from prometheus_client import Counter
from pydantic import BaseModel, ConfigDict, Field

from contracts.money import FeeKind, FeeLine
from contracts.refusal import Refusal
from kit import ids, timers
from kit.auth import Caller, CitizenToken, OfficerToken, Public, Token
from kit.db import Connection
from kit.http import Db, Now, Router, Tx
from kit.problems import Forbidden, NotFound
from kit.settings import load
from services.payment import domain, store
from services.payment.domain import Bill, Receipt, ReceiptNumber, Report, Verdict
from services.payment.providers import vnpay
from services.payment.settings import PaymentSettings
from services.payment.timers import EXPIRY
from services.payment.words import in_words

log = structlog.get_logger()
REFUND_CASES = Counter("motcua_payment_refund_cases_total", "Money that came and has to go back", ["provider"])

router = Router(prefix="/api/v1", tags=["payment"])


class ReturnElsewhere(Refusal):
    """After paying, the browser comes back to our own pages and nowhere else."""

    status = 422
    title = "Địa chỉ quay về sau khi thanh toán không thuộc cổng dịch vụ công"
    title_en = "The return address is not one of this portal"


# What is owed.


class Fees(BaseModel):
    """What a dossier costs. Whoever has its code may see this, so nothing here says whose it is."""

    dossier_code: str
    version: int
    """Version of the dossier's payment facts, as in the events."""
    state: Literal["none", "requested", "paid"]
    lines: list[FeeLine]
    amount: int
    """The sum of the lines, in whole đồng."""
    outstanding: int
    """What is still to be paid, in whole đồng."""


@router.get("/dossiers/{code}/fees", dependencies=[Public])
async def fees(code: str, db: Db) -> Fees:
    """The fee lines of a dossier, and whether they are paid."""
    bill = await store.read(db, code)
    if bill is None:
        raise NotFound
    return Fees(
        dossier_code=code,
        version=bill.version,
        state="requested" if bill.open else "paid" if bill.living else "none",
        lines=[line for assessment in bill.living for line in assessment.lines],
        amount=sum(assessment.amount for assessment in bill.living),
        outstanding=sum(assessment.amount for assessment in bill.open),
    )


# Attempts to pay.


class AttemptWish(BaseModel):
    """Pay what is owed on the dossier."""

    model_config = ConfigDict(extra="forbid")

    provider: Literal["vnpay"] = "vnpay"
    return_url: str = Field(max_length=255, examples=["https://dichvucong.example.vn/thanh-toan/ket-qua"])
    """The page of the portal that the browser comes back to. Coming back proves nothing."""


class AttemptStarted(BaseModel):
    """Send the browser to `redirect_url` before `expires_at`."""

    attempt_id: UUID
    redirect_url: str
    expires_at: datetime


class AttemptView(BaseModel):
    attempt_id: UUID
    state: domain.AttemptState
    amount: int
    """In whole đồng."""
    expires_at: datetime


@router.post("/dossiers/{code}/attempts", status_code=201, dependencies=[Public])
async def start_attempt(code: str, wish: AttemptWish, request: Request, tx: Tx, now: Now) -> AttemptStarted:
    """Begin to pay what has been owed longest. Earlier attempts do not stand in the way."""
    _must_come_back(wish.return_url)
    bill = await store.lock(tx, code)
    if bill is None:
        raise NotFound
    bill, attempt = domain.start_attempt(bill, ids.new(), wish.provider, now)
    await store.save(tx, bill)
    await timers.schedule(tx, EXPIRY, attempt.reference, attempt.expires_at, {"provider": attempt.provider})
    url = vnpay.redirect_url(
        _merchant(),
        attempt,
        info=f"Nop phi ho so {code}",
        return_url=wish.return_url,
        address=request.client.host if request.client else "127.0.0.1",
    )
    return AttemptStarted(attempt_id=attempt.id, redirect_url=url, expires_at=attempt.expires_at)


@router.get("/attempts/{attempt_id}", dependencies=[Public])
async def attempt(attempt_id: UUID, db: Db) -> AttemptView:
    """How an attempt stands: for the page that the payer sees after coming back."""
    found = await store.attempt(db, attempt_id)
    if found is None:
        raise NotFound
    return AttemptView(attempt_id=found.id, state=found.state, amount=found.amount, expires_at=found.expires_at)


def _must_come_back(url: str) -> None:
    if urlsplit(url)[:2] != urlsplit(load(PaymentSettings).gateway_url)[:2]:
        raise ReturnElsewhere


# What the providers say.


@router.get("/callbacks/vnpay", dependencies=[Public])
async def vnpay_calls(request: Request, tx: Tx, now: Now) -> dict[str, str]:
    """VNPAY says how an attempt ended (IPN). Its signature is the authorisation; we answer after the commit."""
    call = dict(request.query_params)
    try:
        verdict = await settle(tx, vnpay.verify(_merchant(), call), now)
        answer = vnpay.ANSWERS[verdict]
    except vnpay.Unbelievable as refused:
        answer = refused.answer
    if answer not in vnpay.SETTLED:
        log.warning("callback.refused", provider=vnpay.PROVIDER, reason=answer.name)
    await store.keep_call(tx, vnpay.PROVIDER, vnpay.evidence(call), answer)
    return {"RspCode": answer, "Message": answer.message}


async def settle(tx: Connection, report: Report, now: datetime) -> Verdict:
    """Do what a provider's report means. However often and in whatever order it is told, money counts once."""
    bill = await store.lock_attempt(tx, report.provider, report.reference)
    if bill is None:
        return Verdict.UNKNOWN_ATTEMPT
    match verdict := domain.judge(bill, report):
        case Verdict.PAYS:
            numbers = await _take_numbers(tx, domain.receipt_kinds(bill, report), domain.local_year(now))
            await store.save(tx, *domain.pay(bill, report, numbers, now))
        case Verdict.OWED_BACK:
            await store.save(tx, *domain.owe_back(bill, report, now))
            REFUND_CASES.labels(report.provider).inc()
            log.error("refund_case.opened", provider=report.provider)
        case Verdict.NOT_PAID:
            await store.save(tx, *domain.give_up(bill, report))
    return verdict


async def _take_numbers(tx: Connection, kinds: Iterable[FeeKind], year: int) -> list[ReceiptNumber]:
    """One number for each receipt. Last of all locks, because every payment of the province wants it."""
    settings = load(PaymentSettings)
    numbers = []
    for kind in kinds:
        symbol = domain.symbol(settings.receipt_letters[kind], year)
        number = await store.take_number(tx, symbol, year)
        numbers.append(ReceiptNumber(kind, settings.receipt_form, symbol, year, number))
    return numbers


def _merchant() -> vnpay.Merchant:
    settings = load(PaymentSettings)
    return vnpay.Merchant(settings.vnpay_url, settings.vnpay_tmn_code, settings.vnpay_secret.get_secret_value())


# Receipts.


class ReceiptView(BaseModel):
    """Biên lai thu phí, lệ phí."""

    receipt_no: str
    """Seven digits, without a gap within symbol and year."""
    form_symbol: str
    symbol: str
    year: int
    kind: FeeKind
    lines: list[FeeLine]
    amount: int
    """In whole đồng."""
    amount_in_words: str
    issued_at: datetime


@router.get("/dossiers/{code}/receipts")
async def receipts(code: str, caller: Caller, db: Db) -> list[ReceiptView]:
    """The receipts of a dossier, for its owner, its submitter and the officers of its unit."""
    bill = await store.read(db, code)
    if bill is None or not _may_see(bill, caller):
        raise Forbidden
    return [_view(receipt) for receipt in await store.receipts(db, code)]


def _may_see(bill: Bill, caller: Token) -> bool:
    match caller:
        case CitizenToken(ref=ref):
            return ref in (bill.owner_ref, bill.submitter_ref)
        case OfficerToken(unit=unit):
            return unit == bill.unit
        case _:
            return False


def _view(receipt: Receipt) -> ReceiptView:
    return ReceiptView(
        receipt_no=str(receipt.number),
        form_symbol=receipt.number.form_symbol,
        symbol=receipt.number.symbol,
        year=receipt.number.year,
        kind=receipt.number.kind,
        lines=list(receipt.lines),
        amount=receipt.amount,
        amount_in_words=in_words(receipt.amount),
        issued_at=receipt.issued_at,
    )

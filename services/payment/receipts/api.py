"""Receipts (biên lai thu phí, lệ phí), for whoever the dossier belongs to and the officers of its unit."""

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from contracts.money import FeeKind, FeeLine
from contracts.refusal import Refusal
from kit.auth import Caller, CitizenToken, OfficerToken, SystemToken, Token, officer, system
from kit.db import Database
from kit.files import FilesDep
from kit.http import Db, Now, Router, Tx
from kit.problems import Forbidden, NotFound
from services.payment import store as bills
from services.payment.domain import Bill
from services.payment.receipts import making, store
from services.payment.receipts.store import Kept
from services.payment.words import in_words

router = Router(prefix="/api/v1", tags=["receipts"])

Cashier = Annotated[OfficerToken, Depends(officer("cashier"))]
Notification = Annotated[SystemToken, Depends(system("notification"))]
Ref = Annotated[str, Path(pattern=r"^[A-Z]{1,4}-\d{2}E\.\d{4}\.\d{7}$", description="`LA-26E.2026.0000001`")]


class ReceiptCancelled(Refusal):
    title = "Biên lai này đã được hủy"
    title_en = "The receipt was cancelled already"


class ReceiptView(BaseModel):
    """Biên lai thu phí, lệ phí."""

    ref: str
    """Names it in addresses: symbol, year, number."""
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
    cancelled_at: datetime | None
    """A cancelled receipt keeps its number and proves nothing any more."""
    cancel_reason: str | None


class Link(BaseModel):
    """An address that downloads the file for the next five minutes."""

    url: str


class Cancellation(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=10, max_length=500)
    """Why, in Vietnamese; it stays with the receipt."""


@router.get("/dossiers/{code}/receipts")
async def receipts(code: str, caller: Caller, db: Db) -> list[ReceiptView]:
    """The receipts of a dossier, for its owner, its submitter and the officers of its unit."""
    bill = await bills.read(db, code)
    if bill is None or not _may_see(bill, caller):
        raise Forbidden
    return [_view(kept) for kept in await store.of_dossier(db, code)]


@router.get("/receipts/{ref}/file")
async def receipt_file(ref: Ref, caller: Caller, db: Db, files: FilesDep, request: Request) -> Link:
    """The receipt as a signed PDF/A."""
    kept = await _visible(db, ref, caller)
    sha256 = await making.made(db, files, request.app.state.settings, kept)
    return Link(url=files.presign_download(f"clean/{sha256}", file_name=f"bien-lai-{ref}.pdf"))


@router.get("/receipts/{ref}/content", response_class=Response)
async def receipt_content(ref: Ref, _: Notification, db: Db, files: FilesDep, request: Request) -> Response:
    """The receipt itself, for the letter that brings it to the payer. A cancelled one is sent to nobody."""
    kept = await store.read(db, ref)
    if kept is None or kept.cancelled_at:
        raise NotFound("Không có biên lai này")
    sha256 = await making.made(db, files, request.app.state.settings, kept)
    return Response(await files.read(f"clean/{sha256}"), media_type=making.PDF)


@router.post("/receipts/{ref}/cancellation")
async def cancel_receipt(ref: Ref, body: Cancellation, who: Cashier, tx: Tx, now: Now) -> ReceiptView:
    """Cancel a receipt that was issued wrongly. Its number is never used again."""
    kept = await store.read(tx, ref)
    bill = await bills.lock(tx, kept.dossier_code) if kept else None
    if kept is None or bill is None or bill.unit != who.unit:
        raise NotFound("Không có biên lai này")
    if not await store.cancel(tx, kept.receipt.number, body.reason, who.ref, now):
        raise ReceiptCancelled
    cancelled = await store.read(tx, ref)
    assert cancelled is not None  # noqa: S101 (it was just changed)
    return _view(cancelled)


async def _visible(db: Database, ref: str, caller: Token) -> Kept:
    kept = await store.read(db, ref)
    bill = await bills.read(db, kept.dossier_code) if kept else None
    if kept is None or bill is None or not _may_see(bill, caller):
        raise Forbidden
    return kept


def _may_see(bill: Bill, caller: Token) -> bool:
    match caller:
        case CitizenToken(ref=ref):
            return ref in (bill.owner_ref, bill.submitter_ref)
        case OfficerToken(unit=unit):
            return unit == bill.unit
        case _:
            return False


def _view(kept: Kept) -> ReceiptView:
    receipt, number = kept.receipt, kept.receipt.number
    return ReceiptView(
        ref=number.ref,
        receipt_no=str(number),
        form_symbol=number.form_symbol,
        symbol=number.symbol,
        year=number.year,
        kind=number.kind,
        lines=list(receipt.lines),
        amount=receipt.amount,
        amount_in_words=in_words(receipt.amount),
        issued_at=receipt.issued_at,
        cancelled_at=kept.cancelled_at,
        cancel_reason=kept.cancel_reason,
    )

"""Statements in, and what they leave for a person to look at."""

import hashlib
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from contracts.refusal import Refusal
from kit.auth import OfficerToken, officer
from kit.http import Db, Later, Now, Router, Tx
from kit.problems import NotFound
from services.payment.reconciliation import domain, formats, store
from services.payment.reconciliation.domain import Bucket, Kind
from services.payment.reconciliation.formats import Format
from services.payment.reconciliation.store import Statement

router = Router(prefix="/api/v1", tags=["reconciliation"])

Cashier = Annotated[OfficerToken, Depends(officer("cashier"))]
Reader = Annotated[OfficerToken, Depends(officer("cashier", "leader", "inspector"))]
LARGEST = 20 * 1024 * 1024


class StatementTooLarge(Refusal):
    status = 413
    title = "Tệp sao kê quá lớn, xin chia theo ngày (tối đa 20 MB)"
    title_en = "The statement is too large; split it by day (at most 20 MB)"


class StatementView(BaseModel):
    """A statement and how far it is compared with the ledger."""

    id: UUID
    provider: str
    file_name: str
    from_day: date
    to_day: date
    """Days in Viet Nam."""
    imported_at: datetime
    done_at: datetime | None
    """Null while it is being compared."""
    lines: int
    buckets: dict[Bucket, int]
    """How many lines are matched, found (booked now), theirs only, or differ in the amount."""


class Statements(BaseModel):
    items: list[StatementView]


class CaseView(BaseModel):
    """Something a machine cannot decide."""

    id: UUID
    kind: Kind
    provider: str
    transaction: str
    reference: str
    dossier_code: str | None
    amount: int
    """In whole đồng, as the provider says."""
    expected: int | None
    """In whole đồng, as we have it; null when we have nothing."""
    opened_at: datetime
    resolved_at: datetime | None
    note: str | None


class Cases(BaseModel):
    items: list[CaseView]


class Resolution(BaseModel):
    model_config = ConfigDict(extra="forbid")

    note: str = Field(min_length=10, max_length=1000)
    """What was found and done, in Vietnamese."""


class CaseClosed(Refusal):
    title = "Việc này đã có người xử lý"
    title_en = "Somebody resolved this case already"


@router.post("/statements/{provider}", status_code=202)
async def import_statement(
    provider: Annotated[str, Path(pattern="^[a-z]{1,20}$")],
    who: Cashier,
    request: Request,
    later: Later,
    now: Now,
    kind: Annotated[Format, Query(alias="format")] = Format.CSV,
    file_name: Annotated[str, Query(max_length=200)] = "",
) -> StatementView:
    """Take a provider's statement, the file as the request's body: whole, or not at all with the number of the broken
    line. Comparing begins at once; the same file again answers with the same statement."""
    data = await _body(request)
    lines = formats.read(kind, data)
    digest = hashlib.sha256(data).hexdigest()
    tx = await later.begin()
    over = domain.period(lines)
    statement_id = await store.take(tx, provider, digest, file_name, over, lines, who.ref, now)
    taken = await store.read(tx, statement_id)
    if taken is None:
        raise NotFound
    return _view(taken)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise StatementTooLarge
    return bytes(body)


@router.get("/statements")
async def list_statements(_: Reader, db: Db) -> Statements:
    """The newest first."""
    return Statements(items=[_view(statement) for statement in await store.newest(db)])


@router.get("/statements/{statement_id}")
async def get_statement(statement_id: UUID, _: Reader, db: Db) -> StatementView:
    """How far the comparison is."""
    statement = await store.read(db, statement_id)
    if statement is None:
        raise NotFound
    return _view(statement)


@router.get("/review-cases")
async def list_cases(_: Reader, db: Db, closed: Annotated[bool, Query()] = False) -> Cases:
    """What waits for a person, the oldest first; with `closed`, the others too."""
    return Cases(items=[CaseView.model_validate(dict(row)) for row in await store.cases(db, closed_too=closed)])


@router.post("/review-cases/{case_id}/resolution", status_code=204)
async def resolve_case(case_id: UUID, body: Resolution, who: Cashier, tx: Tx, now: Now) -> None:
    """Say what was found and done; the case stays as a record."""
    if not await store.resolve(tx, case_id, who.ref, body.note, now):
        raise CaseClosed


def _view(statement: Statement) -> StatementView:
    return StatementView.model_validate(statement, from_attributes=True)

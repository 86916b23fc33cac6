"""HTTP in: the look-up for everybody."""

import time
from functools import cache
from math import ceil
from typing import Annotated

import asyncpg
from fastapi import Query, Request, Response
from pydantic import AwareDatetime, BaseModel

from contracts.refusal import Refusal
from kit.auth import Public
from kit.http import Db, Router, etag
from kit.settings import load
from services.tracking import answers
from services.tracking.answers import AtLeast, Completion, DossierNotFound, Status
from services.tracking.freshness import until_fresh
from services.tracking.lookup import domain, store
from services.tracking.lookup.limits import Limiter
from services.tracking.settings import Settings, shows_level_b

router = Router(prefix="/api/v1", tags=["Tra cứu"])


class TooManyLookups(Refusal):
    status = 429
    title = "Tra cứu quá nhiều lần, xin thử lại sau ít phút"
    title_en = "Too many look-ups, try again shortly"


class Anonymous(BaseModel):
    """What the code alone shows (level A)."""

    code: str
    procedure_name: str
    status: Status
    completion: Completion
    updated_at: AwareDatetime | None
    """When the projection last took something in: "dữ liệu cập nhật lúc"."""


class Recognised(Anonymous):
    """What the code shows with the matching identity number (level B). Still no documents, no full name."""

    submitter: str | None
    """The submitter's name, masked."""
    accepted_at: AwareDatetime | None
    due_at: AwareDatetime | None
    unit: str
    """Agency id of the unit that has the dossier now."""


@cache
def limiter() -> Limiter:
    return Limiter(load(Settings).lookups_per_minute)


@router.get("/dossiers/{code}", dependencies=[Public], response_model=Recognised | Anonymous)
async def look_up(
    code: str,
    request: Request,
    response: Response,
    db: Db,
    identity_number: Annotated[str | None, Query(max_length=20)] = None,
    at_least: AtLeast = 0,
) -> Anonymous:
    """Status by code for everybody; with the matching number, dates and unit as well.

    The number is the owner's or submitter's personal identification number, or an organisation's tax code. An unknown
    code and a number that does not match are answered alike, after the same work. There is no look-up by a number
    alone: whoever has lost the code logs in and finds their dossiers in their folders.
    """
    count(request)

    async def read() -> asyncpg.Record:
        return await store.look_up(db, code.strip().upper())

    row = await until_fresh(read, lambda row: _recognises(row, identity_number), at_least)
    if not _recognises(row, identity_number):
        raise DossierNotFound(updated_at=answers.text(row["updated_at"]))
    etag(response, row["version"])
    return _anonymous(row) if identity_number is None or not shows_level_b() else _recognised(row)


def count(request: Request) -> None:
    """One more look-up of this address; TooManyLookups when that was too many."""
    wait = limiter().wait(request.client.host if request.client else "", time.monotonic())
    if wait:
        raise TooManyLookups(retry_after=ceil(wait))


def _recognises(row: asyncpg.Record, identity_number: str | None) -> bool:
    """Whether this row may answer: it exists, and the number, if one was given, is the right one."""
    if identity_number is None or not shows_level_b():
        return row["code"] is not None
    proven = domain.proves(identity_number, load(Settings).digest_key, row["owner_digest"], row["submitter_digest"])
    return proven and row["code"] is not None


def _anonymous(row: asyncpg.Record) -> Anonymous:
    return Anonymous(
        code=row["code"],
        procedure_name=row["procedure_name"],
        status=answers.status(row),
        completion=answers.completion(row),
        updated_at=row["updated_at"],
    )


def _recognised(row: asyncpg.Record) -> Recognised:
    return Recognised(
        **_anonymous(row).model_dump(),
        submitter=row["masked_name"],
        accepted_at=row["accepted_at"],
        due_at=row["due_at"],
        unit=row["unit"],
    )

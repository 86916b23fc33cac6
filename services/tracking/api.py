"""HTTP in: the look-up for everybody, and a citizen's own dossiers."""

import base64
import time
from datetime import UTC, datetime
from functools import cache
from math import ceil
from typing import Annotated, Any

import asyncpg
from fastapi import Query, Request, Response
from pydantic import AwareDatetime, BaseModel

from contracts.refusal import Refusal
from kit.auth import Citizen, Public
from kit.http import Db, Router, etag
from kit.settings import load
from services.tracking import domain, store
from services.tracking.freshness import until_fresh
from services.tracking.limits import Limiter
from services.tracking.settings import Settings, shows_level_b

router = Router(prefix="/api/v1", tags=["Tra cứu"])

AtLeast = Annotated[int, Query(ge=0, description="Wait up to a second until this version of the dossier is shown")]


class DossierNotFound(Refusal):
    """Said of an unknown code, of a number that does not match and of somebody else's dossier alike."""

    status = 404
    title = "Không tìm thấy hồ sơ khớp với thông tin đã nhập"
    title_en = "No dossier matches what was entered"


class TooManyLookups(Refusal):
    status = 429
    title = "Tra cứu quá nhiều lần, xin thử lại sau ít phút"
    title_en = "Too many look-ups, try again shortly"


class Status(BaseModel):
    """Status of the National Public Service Portal."""

    code: int
    label: str


class Completion(BaseModel):
    """How far the dossier has come: step `done` of `of`."""

    done: int
    of: int
    label: str


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


class Fee(BaseModel):
    """What is to be paid, or was."""

    state: str
    label: str
    amount: int
    """Whole đồng."""
    due_at: AwareDatetime | None


class State(BaseModel):
    """The state inside the one-stop system."""

    code: str
    label: str


class Member(BaseModel):
    """One procedure of an interlinked dossier (hồ sơ liên thông)."""

    code: str
    procedure_name: str
    unit: str
    """Agency id of the unit that settles it."""
    state: State
    dossier_code: str | None = None
    """The dossier it became, to be looked up by its own code; null before it started."""
    reason: str | None = None
    """Why it was never started; otherwise null."""


class Followed(BaseModel):
    """A dossier as its owner sees it in a list (level C)."""

    code: str
    version: int
    procedure_code: str
    procedure_name: str
    status: Status
    state: State
    folder: str
    unit: str
    submitted_at: AwareDatetime
    accepted_at: AwareDatetime | None
    due_at: AwareDatetime | None
    supplement_due_at: AwareDatetime | None
    issued_at: AwareDatetime | None
    returned_at: AwareDatetime | None
    punctuality: str | None
    delivery: str
    result_ref: str | None
    fee: Fee | None
    parent_code: str | None
    """The interlinked dossier that this one is a member of; null for one of its own."""
    members: list[Member] | None
    """What an interlinked dossier consists of, in order; null for any other."""


class HistoryEntry(BaseModel):
    """One line of "Xem quá trình xử lý hồ sơ"."""

    type: str
    """Name of the event."""
    label: str
    at: AwareDatetime
    unit: str | None
    detail: dict[str, Any] | None
    """What else there is to read of it, by the names of the event's fields; null when there is nothing."""


class Message(BaseModel):
    """One message about the dossier: which way it went, never what it said."""

    template: str
    channel: str
    reason: str | None
    """Why it was given up; null when it arrived."""
    at: AwareDatetime


class Detailed(Followed):
    """A dossier as its owner sees it, with all that happened to it."""

    completion: Completion
    history: list[HistoryEntry]
    messages: list[Message]
    updated_at: AwareDatetime | None


class Page(BaseModel):
    """Dossiers, newest first."""

    items: list[Followed]
    next: str | None
    """Cursor of the following page, null on the last."""
    updated_at: AwareDatetime | None


class Folder(BaseModel):
    """A folder of "Hồ sơ cá nhân"."""

    key: str
    label: str
    count: int | None
    """Null for drafts: they are counted by the dossier service, which alone knows them."""


class Folders(BaseModel):
    """The seven folders, in their order."""

    folders: list[Folder]
    updated_at: AwareDatetime | None


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
    """Status by code for everybody; with the matching identity number, dates and unit as well."""
    _count(request)

    async def read() -> asyncpg.Record:
        return await store.look_up(db, code.strip().upper())

    row = await until_fresh(read, lambda row: _recognises(row, identity_number), at_least)
    if not _recognises(row, identity_number):
        raise DossierNotFound(updated_at=_text(row["updated_at"]))
    etag(response, row["version"])
    return _anonymous(row) if identity_number is None or not shows_level_b() else _recognised(row)


def _count(request: Request) -> None:
    wait = limiter().wait(request.client.host if request.client else "", time.monotonic())
    if wait:
        raise TooManyLookups(retry_after=ceil(wait))


def _recognises(row: asyncpg.Record, identity_number: str | None) -> bool:
    """Whether this row may answer: it exists, and the number, if one was given, is the right one."""
    if identity_number is None or not shows_level_b():
        return row["code"] is not None
    number = "".join(identity_number.split())
    proven = domain.proves(number, load(Settings).digest_key, row["owner_digest"], row["submitter_digest"])
    return proven and row["code"] is not None


@router.get("/my/folders")
async def folders(citizen: Citizen, db: Db) -> Folders:
    counts = await store.count_folders(db, citizen.ref)
    return Folders(
        folders=[
            Folder(key=key, label=label, count=None if key == "not_sent" else counts.get(key, 0))
            for key, label in domain.FOLDERS.items()
        ],
        updated_at=await store.updated_at(db),
    )


@router.get("/my/dossiers")
async def my_dossiers(
    citizen: Citizen,
    db: Db,
    folder: Annotated[str | None, Query(description="Key of a folder; all of them without")] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Page:
    """Dossiers that the citizen owns or sent for somebody, newest first."""
    rows = await store.of_account(db, citizen.ref, folder, _position(cursor), limit + 1)
    return Page(
        items=[_followed(row) for row in rows[:limit]],
        next=_cursor(rows[limit - 1]) if len(rows) > limit else None,
        updated_at=await store.updated_at(db),
    )


@router.get("/my/dossiers/{code}")
async def my_dossier(code: str, citizen: Citizen, response: Response, db: Db, at_least: AtLeast = 0) -> Detailed:
    """Everything about one's own dossier, with its history."""

    async def read() -> asyncpg.Record:
        return await store.look_up(db, code.strip().upper())

    def own(row: asyncpg.Record) -> bool:
        return domain.may_follow(citizen.ref, row["owner_ref"], row["submitter_ref"])

    row = await until_fresh(read, own, at_least)
    if not own(row):
        raise DossierNotFound(updated_at=_text(row["updated_at"]))
    etag(response, row["version"])
    return _detailed(row, await store.history(db, row["code"]), await store.messages_about(db, row["code"]))


# ── rows → answers ─────────────────────────────────────────────────────────────────────────────────


def _status(row: asyncpg.Record) -> Status:
    return Status(code=row["status"], label=domain.STATUSES[row["status"]])


def _completion(row: asyncpg.Record) -> Completion:
    reached = domain.completion(row["status"], accepted=row["accepted_at"] is not None)
    return Completion(done=reached.done, of=reached.of, label=reached.label)


def _anonymous(row: asyncpg.Record) -> Anonymous:
    return Anonymous(
        code=row["code"],
        procedure_name=row["procedure_name"],
        status=_status(row),
        completion=_completion(row),
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


_AS_THEY_ARE = set(Followed.model_fields) - {"status", "state", "fee", "members"}


def _followed(row: asyncpg.Record) -> Followed:
    return Followed(
        **{name: row[name] for name in _AS_THEY_ARE},
        status=_status(row),
        state=State(code=row["state"], label=domain.STATES.get(row["state"], domain.STATUSES[row["status"]])),
        fee=_fee(row),
        members=[_member(told) for told in row["members"]["members"]] if row["members"] else None,
    )


def _member(told: dict[str, Any]) -> Member:
    word = told["state"]
    return Member.model_validate({**told, "state": State(code=word, label=domain.MEMBERS.get(word, word))})


def _fee(row: asyncpg.Record) -> Fee | None:
    if row["fee_state"] is None or row["fee_amount"] is None:
        return None
    label = domain.FEES[row["fee_state"]]
    return Fee(state=row["fee_state"], label=label, amount=row["fee_amount"], due_at=row["fee_due_at"])


def _detailed(row: asyncpg.Record, history: list[asyncpg.Record], messages: list[asyncpg.Record]) -> Detailed:
    return Detailed(
        **_followed(row).model_dump(),
        completion=_completion(row),
        history=[HistoryEntry(label=domain.LABELS.get(told["type"], told["type"]), **dict(told)) for told in history],
        messages=[Message(**dict(message)) for message in messages],
        updated_at=row["updated_at"],
    )


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


# ── pages ──────────────────────────────────────────────────────────────────────────────────────────


class CursorNotOurs(Refusal):
    status = 422
    title = "Trang yêu cầu không hợp lệ, xin mở lại danh sách"
    title_en = "The cursor is not one that this list gave"


_NEWEST = (datetime(9999, 1, 1, tzinfo=UTC), "")


def _cursor(row: asyncpg.Record) -> str:
    return base64.urlsafe_b64encode(f"{row['submitted_at'].isoformat()} {row['code']}".encode()).decode()


def _position(cursor: str | None) -> tuple[datetime, str]:
    if cursor is None:
        return _NEWEST
    try:
        moment, code = base64.urlsafe_b64decode(cursor.encode()).decode().split(" ", 1)
        parsed = datetime.fromisoformat(moment)
        return parsed.astimezone(UTC), code
    except ValueError:
        raise CursorNotOurs from None

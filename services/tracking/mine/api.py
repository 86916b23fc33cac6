"""HTTP in: a citizen's own dossiers, in their folders and with all that happened to them."""

from datetime import UTC, datetime
from typing import Annotated, Any

import asyncpg
from fastapi import Query, Response
from pydantic import AwareDatetime, BaseModel

from kit import cursors
from kit.auth import Citizen
from kit.http import Db, Now, Router, etag
from services.tracking import answers, words
from services.tracking.answers import AtLeast, Completion, DossierNotFound, State, Status, StepTaken
from services.tracking.freshness import until_fresh
from services.tracking.lookup.store import look_up
from services.tracking.mine import domain, store
from services.tracking.projection.domain import LABELS
from services.tracking.projection.store import updated_at
from services.tracking.steps.domain import steps

router = Router(prefix="/api/v1", tags=["Hồ sơ của tôi"])

_NEWEST = (datetime(9999, 1, 1, tzinfo=UTC), "")


class Fee(BaseModel):
    """What is to be paid, or was."""

    state: str
    label: str
    amount: int
    """Whole đồng."""
    due_at: AwareDatetime | None


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
    revision: str
    """Another one whenever anything here is another; live updates tell of it."""
    history: list[HistoryEntry]
    steps: list[StepTaken]
    """Who had it, from when to when; the history says what happened."""
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


@router.get("/my/folders")
async def folders(citizen: Citizen, db: Db) -> Folders:
    counts = await store.count_folders(db, citizen.ref)
    return Folders(
        folders=[
            Folder(key=key, label=label, count=None if key == "not_sent" else counts.get(key, 0))
            for key, label in words.FOLDERS.items()
        ],
        updated_at=await updated_at(db),
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
    place = cursors.place(cursor) if cursor is not None else _NEWEST
    rows = await store.of_account(db, citizen.ref, folder, place, limit + 1)
    return Page(
        items=[_followed(row) for row in rows[:limit]],
        next=cursors.cursor(rows[limit - 1]["submitted_at"], rows[limit - 1]["code"]) if len(rows) > limit else None,
        updated_at=await updated_at(db),
    )


@router.get("/my/dossiers/{code}")
async def my_dossier(
    code: str, citizen: Citizen, response: Response, db: Db, now: Now, at_least: AtLeast = 0
) -> Detailed:
    """Everything about one's own dossier, with its history."""

    async def read() -> asyncpg.Record:
        return await look_up(db, code.strip().upper())

    def own(row: asyncpg.Record) -> bool:
        return domain.may_follow(citizen.ref, row["owner_ref"], row["submitter_ref"])

    row = await until_fresh(read, own, at_least)
    if not own(row):
        raise DossierNotFound(updated_at=answers.text(row["updated_at"]))
    etag(response, row["version"])
    history, messages = await store.history(db, row["code"]), await store.messages_about(db, row["code"])
    return Detailed(**detailed(row, history, messages, now))


# ── rows → answers ─────────────────────────────────────────────────────────────────────────────────


_AS_THEY_ARE = set(Followed.model_fields) - {"status", "state", "fee", "members"}


def _followed(row: asyncpg.Record) -> Followed:
    return Followed(
        **{name: row[name] for name in _AS_THEY_ARE},
        status=answers.status(row),
        state=answers.state(row),
        fee=_fee(row),
        members=[_member(told) for told in row["members"]["members"]] if row["members"] else None,
    )


def _member(told: dict[str, Any]) -> Member:
    word = told["state"]
    return Member.model_validate({**told, "state": State(code=word, label=words.MEMBERS.get(word, word))})


def _fee(row: asyncpg.Record) -> Fee | None:
    if row["fee_state"] is None or row["fee_amount"] is None:
        return None
    label = words.FEES[row["fee_state"]]
    return Fee(state=row["fee_state"], label=label, amount=row["fee_amount"], due_at=row["fee_due_at"])


def detailed(
    row: asyncpg.Record, history: list[asyncpg.Record], messages: list[asyncpg.Record], now: datetime
) -> dict[str, Any]:
    """The fields of `Detailed`."""
    return {
        **_followed(row).model_dump(),
        "completion": answers.completion(row),
        "revision": answers.revision(row),
        "history": [HistoryEntry(label=LABELS.get(told["type"], told["type"]), **dict(told)) for told in history],
        "steps": [answers.step(taken, now) for taken in steps(map(answers.told, history))],
        "messages": [Message(**dict(message)) for message in messages],
        "updated_at": row["updated_at"],
    }

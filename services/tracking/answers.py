"""What several answers of tracking are made of, and how they are read from a row."""

from datetime import datetime
from typing import Annotated

import asyncpg
from fastapi import Query
from pydantic import AwareDatetime, BaseModel

from contracts.national import STATUSES
from contracts.refusal import Refusal
from services.tracking import words
from services.tracking.lookup import domain
from services.tracking.steps.domain import Step, Told

AtLeast = Annotated[int, Query(ge=0, description="Wait up to a second until this version of the dossier is shown")]


class DossierNotFound(Refusal):
    """Said of an unknown code, of a number that does not match and of somebody else's dossier alike."""

    status = 404
    title = "Không tìm thấy hồ sơ khớp với thông tin đã nhập"
    title_en = "No dossier matches what was entered"


class Status(BaseModel):
    """Status of the National Public Service Portal."""

    code: int
    label: str


class Completion(BaseModel):
    """How far the dossier has come: step `done` of `of`."""

    done: int
    of: int
    label: str


class State(BaseModel):
    """The state inside the one-stop system."""

    code: str
    label: str


class StepTaken(BaseModel):
    """One step of "Xem quá trình xử lý hồ sơ": who had the dossier, how long, and whether they kept their time."""

    holder: str
    """`applicant`, `desk`, `specialist`, `division_head`, `leader`, `clerk`, `desk_return` or `consulted`."""
    label: str
    unit: str | None
    """Agency id; null for the applicant."""
    since: AwareDatetime
    until: AwareDatetime | None
    """Null while it runs."""
    due_at: AwareDatetime | None
    """Until when it should be done, by the working calendar; null where no time was set."""
    seconds_used: int
    """As time passes, nights and holidays included."""
    seconds_allowed: int | None
    """The same way from `since` to `due_at`."""
    late: bool | None
    """Null where no time was set."""


def step(taken: Step, now: datetime) -> StepTaken:
    """A step as it is answered."""
    until = taken.until or max(now, taken.since)
    return StepTaken(
        holder=taken.holder,
        label=holder(taken),
        unit=taken.unit,
        since=taken.since,
        until=taken.until,
        due_at=taken.due_at,
        seconds_used=int((until - taken.since).total_seconds()),
        seconds_allowed=int((taken.due_at - taken.since).total_seconds()) if taken.due_at else None,
        late=taken.late(now),
    )


def holder(taken: Step) -> str:
    """Who has the dossier in this step, in words."""
    return words.HOLDERS[taken.holder]


def told(row: asyncpg.Record) -> Told:
    """A line of the history as the steps are read from it."""
    return Told(row["type"], row["at"], row["unit"], row["detail"] or {})


def status(row: asyncpg.Record) -> Status:
    return Status(code=row["status"], label=STATUSES[row["status"]])


def completion(row: asyncpg.Record) -> Completion:
    reached = domain.completion(row["status"], accepted=row["accepted_at"] is not None)
    return Completion(done=reached.done, of=reached.of, label=reached.label)


def state(row: asyncpg.Record) -> State:
    return State(code=row["state"], label=words.STATES.get(row["state"], STATUSES[row["status"]]))


def revision(row: asyncpg.Record) -> str:
    """Another one whenever anything about the dossier or its fee is another."""
    return f"{row['version']}.{row['payment_version']}"


def text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None

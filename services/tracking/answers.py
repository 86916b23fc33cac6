"""What several answers of tracking are made of, and how they are read from a row."""

import base64
from datetime import UTC, datetime
from typing import Annotated

import asyncpg
from fastapi import Query
from pydantic import BaseModel

from contracts.national import STATUSES
from contracts.refusal import Refusal
from services.tracking import words
from services.tracking.lookup import domain

AtLeast = Annotated[int, Query(ge=0, description="Wait up to a second until this version of the dossier is shown")]


class DossierNotFound(Refusal):
    """Said of an unknown code, of a number that does not match and of somebody else's dossier alike."""

    status = 404
    title = "Không tìm thấy hồ sơ khớp với thông tin đã nhập"
    title_en = "No dossier matches what was entered"


class CursorNotOurs(Refusal):
    status = 422
    title = "Trang yêu cầu không hợp lệ, xin mở lại danh sách"
    title_en = "The cursor is not one that this list gave"


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


def status(row: asyncpg.Record) -> Status:
    return Status(code=row["status"], label=STATUSES[row["status"]])


def completion(row: asyncpg.Record) -> Completion:
    reached = domain.completion(row["status"], accepted=row["accepted_at"] is not None)
    return Completion(done=reached.done, of=reached.of, label=reached.label)


def state(row: asyncpg.Record) -> State:
    return State(code=row["state"], label=words.STATES.get(row["state"], STATUSES[row["status"]]))


def text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def cursor(at: datetime, code: str) -> str:
    """Names the place behind this entry of a list."""
    return base64.urlsafe_b64encode(f"{at.isoformat()} {code}".encode()).decode()


def position(cursor: str | None) -> tuple[datetime, str] | None:
    """The place that a cursor names; None for the beginning."""
    if cursor is None:
        return None
    try:
        moment, code = base64.urlsafe_b64decode(cursor.encode()).decode().split(" ", 1)
        return datetime.fromisoformat(moment).astimezone(UTC), code
    except (ValueError, OverflowError):
        raise CursorNotOurs from None

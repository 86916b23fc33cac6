"""HTTP in: what became of messages, for the officers of a dossier's unit and for who runs the system. Never an address.

Officers see their own unit's; the system administrator sees every unit's: codes, templates and outcomes, no content.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated
from uuid import UUID

import asyncpg
import structlog
from fastapi import Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from contracts.refusal import Refusal
from kit import cursors
from kit.auth import ADMINISTRATOR, OfficerToken, officer
from kit.db import Database
from kit.http import Db, Now, Router, Tx
from kit.problems import NotFound
from services.notification.people.attempts import store as attempts
from services.notification.people.attempts.domain import Attempt, Outcome
from services.notification.people.cursors import position
from services.notification.people.failures import store
from services.notification.people.failures.store import Filter

router = Router(prefix="/api/v1", tags=["Thông báo không gửi được"])
log = structlog.get_logger()

Anybody = Annotated[OfficerToken, Depends(officer())]
Sender = Annotated[OfficerToken, Depends(officer("desk", "leader", ADMINISTRATOR))]
AT_ONCE = 1000
"""Messages that one request sends again."""


class NotGivenUp(Refusal):
    """Only what was given up can be sent again."""

    title = "Thông báo này chưa bị dừng gửi"
    title_en = "The message was not given up"


class AttemptView(BaseModel):
    """One try to hand the message to a provider."""

    at: AwareDatetime
    provider: str = Field(examples=["esms"])
    outcome: Outcome | None
    """Null: it began, and nothing was heard of it yet."""
    code: str | None
    """The provider's own word for it."""


class MessageView(BaseModel):
    """A message about a dossier, and what became of it."""

    id: UUID
    dossier_code: str
    template: str
    template_version: int
    channel: str
    unit: str
    state: str = Field(examples=["failed"])
    reason: str | None
    """Why it was given up."""
    delivery: str | None
    """What the provider reports: `delivered`, `undelivered`, or nothing."""
    happened_at: AwareDatetime
    """When what it tells of happened."""
    settled_at: AwareDatetime | None
    attempts: list[AttemptView]


class MessagePage(BaseModel):
    items: list[MessageView]
    next: str | None
    """Cursor of the following page, null on the last."""


class Wanted(BaseModel):
    """Which of the messages that were given up; what is not named may be anything."""

    model_config = ConfigDict(extra="forbid")

    unit: str | None = Field(None, max_length=40, examples=["H99.02.01"])
    channel: str | None = Field(None, pattern="^(in_app|email|sms)$")
    template: str | None = Field(None, max_length=40, examples=["dossier_accepted"])
    reason: str | None = Field(None, max_length=40, examples=["unavailable"])
    since: AwareDatetime | None = None


class Listed(Wanted):
    """The same, and which page."""

    cursor: str | None = Field(None, max_length=200)
    limit: int = Field(20, ge=1, le=100)


class Resent(BaseModel):
    queued: int
    """How many are on their way again."""
    more: bool
    """Whether there may be more: ask again."""


@router.get("/failed-messages")
async def failed_messages(who: Anybody, db: Db, asked: Annotated[Listed, Query()]) -> MessagePage:
    """What was given up, newest first, with every attempt."""
    rows = await store.failed(db, _within(who, asked), asked.limit + 1, position(asked.cursor))
    shown = rows[: asked.limit]
    following = cursors.cursor(shown[-1]["settled_at"], shown[-1]["id"]) if len(rows) > asked.limit else None
    return MessagePage(items=await _views(db, shown), next=following)


@router.get("/dossiers/{code}/messages")
async def messages_about(code: str, who: Anybody, db: Db) -> list[MessageView]:
    """Every message about a dossier, oldest first, with every attempt."""
    rows = [row for row in await store.about(db, code) if _may_see(who, row)]
    if not rows:
        raise NotFound
    return await _views(db, rows)


@router.post("/failed-messages/{message_id}/resending", status_code=202)
async def send_again(message_id: UUID, who: Sender, tx: Tx, now: Now) -> Resent:
    """Send one message again, after the cause was mended."""
    row = await store.one(tx, message_id)
    if row is None or not _may_see(who, row):
        raise NotFound
    if not await store.send_again(tx, message_id, now):
        raise NotGivenUp
    log.info("messages.sent_again", count=1, unit=row["unit"])
    return Resent(queued=1, more=False)


@router.post("/failed-messages/resendings", status_code=202)
async def send_all_again(wanted: Wanted, who: Sender, tx: Tx, now: Now) -> Resent:
    """Send all that match again, oldest first, at most a thousand at a time."""
    queued = await store.send_all_again(tx, _within(who, wanted), AT_ONCE, now)
    log.info("messages.sent_again", count=queued, unit=who.unit)
    return Resent(queued=queued, more=queued == AT_ONCE)


def _within(who: OfficerToken, wanted: Wanted) -> Filter:
    asked = Filter(wanted.unit, wanted.channel, wanted.template, wanted.reason, wanted.since)
    return asked if ADMINISTRATOR in who.roles else replace(asked, unit=who.unit)


def _may_see(who: OfficerToken, row: asyncpg.Record) -> bool:
    return ADMINISTRATOR in who.roles or bool(row["unit"] == who.unit)


async def _views(db: Database, rows: Sequence[asyncpg.Record]) -> list[MessageView]:
    tried = await attempts.of_messages(db, [row["id"] for row in rows])
    fields = set(MessageView.model_fields) - {"attempts"}
    return [
        MessageView(**{name: row[name] for name in fields}, attempts=[_attempt(one) for one in tried[row["id"]]])
        for row in rows
    ]


def _attempt(one: Attempt) -> AttemptView:
    return AttemptView(at=one.at, provider=one.provider, outcome=one.outcome, code=one.code)

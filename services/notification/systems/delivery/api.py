"""HTTP in: what became of a subscription's events, and sending them again."""

from typing import Annotated
from uuid import UUID

import asyncpg
from fastapi import Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from contracts.dossier import DOSSIERS
from kit.http import Db, Router, Tx
from kit.problems import NotFound
from services.notification.systems.delivery import store
from services.notification.systems.delivery.domain import Trouble
from services.notification.systems.delivery.words import EXPLAINED
from services.notification.systems.journal import store as journal
from services.notification.systems.journal.domain import Entry
from services.notification.systems.subscriptions.api import MayTouch, locked, touched
from services.notification.systems.subscriptions.domain import Subscription, may_hear
from services.notification.systems.subscriptions.registry import subscribers

router = Router(prefix="/api/v1/subscriptions/{subscription}", tags=["Gửi sự kiện"])

NEWEST = 2**63 - 1
Limit = Annotated[int, Query(ge=1, le=200)]


class AttemptView(BaseModel):
    """One request. Its body and the answer's are never kept."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: int
    event_id: UUID
    """`webhook-id`, and the CloudEvent's id."""
    type: str | None
    """Null, as the rest of the event, when it is no longer kept."""
    channel: str | None
    dossier_code: str | None
    version: int | None
    attempt: int
    """Counts from 1 for each event; from 1 again when it is sent again on demand."""
    at: AwareDatetime
    took_ms: int
    accepted: bool
    status: int | None
    """Of the HTTP answer, if there was one."""
    trouble: Trouble | None
    explanation: str | None
    """The trouble in words."""
    next_at: AwareDatetime | None
    """When it is tried again; sooner if the subscription accepts again before that."""


class AttemptPage(BaseModel):
    """Requests, newest first."""

    items: list[AttemptView]
    next: int | None
    """The following page's `before`, null on the last."""


@router.get("/attempts")
async def attempts(
    scope: MayTouch,
    db: Db,
    subscription: UUID,
    event_id: UUID | None = None,
    dossier_code: Annotated[str | None, Query(max_length=64)] = None,
    failed: bool = False,
    before: int = NEWEST,
    limit: Limit = 50,
) -> AttemptPage:
    """Every request that was sent: of one event, of one dossier, or only those that failed, if asked for."""
    await touched(db, scope, subscription)
    rows = await store.attempts_of(db, subscription, before, event_id, dossier_code, failed, limit + 1)
    return AttemptPage(
        items=[_attempt(row) for row in rows[:limit]], next=rows[limit - 1]["id"] if len(rows) > limit else None
    )


def _attempt(row: asyncpg.Record) -> AttemptView:
    trouble = Trouble(row["trouble"]) if row["trouble"] else None
    return AttemptView(
        **dict(row) | {"trouble": trouble}, accepted=trouble is None,
        explanation=EXPLAINED[trouble][0] if trouble else None,
    )  # fmt: skip


class DeliveryView(BaseModel):
    """An event that is not done."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    seq: int
    event_id: UUID
    type: str
    channel: str
    dossier_code: str
    version: int
    attempts: int
    failing_since: AwareDatetime | None
    """When the first attempt failed; null for what was not tried yet."""
    due_at: AwareDatetime | None
    """When it is tried next; null for what waits behind an earlier event of its dossier."""
    given_up_at: AwareDatetime | None


class DeliveryPage(BaseModel):
    """Events that are not done, oldest first."""

    items: list[DeliveryView]
    next: int | None
    """The following page's `after`, null on the last."""


@router.get("/deliveries")
async def deliveries(
    scope: MayTouch, db: Db, subscription: UUID, given_up: bool = False, after: int = 0, limit: Limit = 50
) -> DeliveryPage:
    """What waits for another attempt or behind one; with `given_up`, what was tried for three days in vain."""
    await touched(db, scope, subscription)
    rows = await store.waiting(db, subscription, after, given_up, limit + 1)
    return DeliveryPage(
        items=[DeliveryView(**dict(row)) for row in rows[:limit]],
        next=rows[limit - 1]["seq"] if len(rows) > limit else None,
    )


class Resend(BaseModel):
    """One event."""

    model_config = ConfigDict(extra="forbid")

    event_id: UUID


class ReplayOfDossier(BaseModel):
    """The history of one dossier."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    dossier_code: str = Field(max_length=64, examples=["H99.02.01-261122-0001"])
    channel: str = Field(default=DOSSIERS.name, max_length=100)
    from_version: int = Field(default=1, ge=1)
    """The first version that is missing."""


class ReplaySince(BaseModel):
    """Everything."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    since: AwareDatetime
    """What this installation kept from then on."""


class Asked(BaseModel):
    """How much is sent again."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    events: int | None
    """Null for a replay since a time, which is not counted."""


@router.post("/resends", status_code=202)
async def resend(scope: MayTouch, tx: Tx, subscription: UUID, asked: Resend) -> Asked:
    """Send one event again, whether it was accepted, waits or was given up: same id, marked `motcua-replayed`."""
    found = await locked(tx, scope, subscription)
    return await _again(tx, found, await store.event(tx, asked.event_id))


@router.post("/replays", status_code=202)
async def replay(scope: MayTouch, tx: Tx, subscription: UUID, asked: ReplayOfDossier | ReplaySince) -> Asked:
    """Send again, in order and with the same ids, marked `motcua-replayed`: one dossier from a version on, or all since
    a time. After a replay since a time new events follow when it has come to the present."""
    found = await locked(tx, scope, subscription)
    if isinstance(asked, ReplayOfDossier):
        events = await store.history(tx, subscription, asked.channel, asked.dossier_code, asked.from_version)
        return await _again(tx, found, events)
    await store.turn_back(tx, subscription, await journal.before(tx, asked.since))
    return Asked(events=None)


async def _again(tx: Tx, subscription: Subscription, entries: list[Entry]) -> Asked:
    """NotFound for what it may not hear: nobody learns whether it exists."""
    whose = subscribers().get(subscription.subscriber)
    theirs = [entry for entry in entries if whose and may_hear(subscription, whose.agency, entry)]
    if not theirs:
        raise NotFound
    await store.ask_again(tx, subscription.id, theirs)
    return Asked(events=len(theirs))

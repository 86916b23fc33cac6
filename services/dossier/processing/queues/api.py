"""The officers' queues: whose turn it is, the most urgent first."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from kit.auth import Officer
from kit.http import Db, Router
from services.dossier.processing import domain
from services.dossier.processing.domain import State
from services.dossier.processing.queues import store
from services.dossier.processing.queues.store import Page, Wanted
from services.dossier.processing.reading.domain import WORKS_WITH_CONTENT, NoContentForYourRole

router = Router(prefix="/api/v1", tags=["processing"])

WORK = (State.ACCEPTED, State.ASSIGNED, State.IN_PROCESS, State.CONSULTING)


class Queue(StrEnum):
    """Which work waits, and for whom."""

    RECEPTION = "reception"
    """The desk looks at what came in (Hồ sơ chờ tiếp nhận)."""
    ASSIGNMENT = "assignment"
    """The division head says who works on it."""
    PROCESSING = "processing"
    """Specialists (Hồ sơ đang xử lý)."""
    CONSULTATION = "consultation"
    """Other units wait for this unit's opinion."""
    OBLIGATION = "obligation"
    """The applicant meets a financial obligation; the desk sees the proof."""
    REVIEW = "review"
    """The division head looks at a draft."""
    SIGNING = "signing"
    """The leader signs, or refuses (Trình ký)."""
    ISSUING = "issuing"
    """The clerk numbers, seals and publishes."""
    UNSIGNED = "unsigned"
    """The specialist provides the signed file of a result that was signed on paper: the desk found it missing."""
    HANDOVER = "handover"
    """The desk hands over (Kết quả chờ trả)."""


QUEUES: dict[Queue, Wanted] = {
    Queue.RECEPTION: Wanted((State.SUBMITTED, State.SUPPLEMENT_SUBMITTED), at_receiver=True),
    Queue.ASSIGNMENT: Wanted(WORK, ("division_head",)),
    Queue.PROCESSING: Wanted(WORK, ("specialist",)),
    Queue.CONSULTATION: Wanted((State.CONSULTING,), consulted=True),
    Queue.OBLIGATION: Wanted((State.AWAITING_FINANCIAL_OBLIGATION,), at_receiver=True),
    Queue.REVIEW: Wanted((State.PENDING_APPROVAL,), ("division_head",), signed=False),
    Queue.SIGNING: Wanted((State.PENDING_APPROVAL,), ("leader",), signed=False),
    Queue.ISSUING: Wanted((State.PENDING_APPROVAL, State.RESULT_SIGNED), signed=True),
    Queue.UNSIGNED: Wanted((State.RESULT_READY,), unsigned=True),
    Queue.HANDOVER: Wanted((State.RESULT_READY,), at_receiver=True),
}


class QueueItem(BaseModel):
    """One dossier that waits for somebody of the unit."""

    code: str
    procedure_code: str
    procedure_name: str
    state: State
    label: str
    submitted_at: datetime | None
    due_at: datetime | None
    """The nearest of its running deadlines; null when nothing hurries it."""
    appointment_at: datetime | None
    sla_state: str
    """`on_time`, `due_soon` or `overdue`."""
    step: str | None
    step_due_at: datetime | None
    assignee_ref: UUID | None
    current_unit: str
    receiving_unit: str
    refusal_proposed: bool
    payment_state: str
    version: int


class QueueItems(BaseModel):
    items: list[QueueItem]
    total: int = Field(description="How many wait in all, as far as the filters go.")
    next: str | None = Field(description="Give it as `after` for the next page; null on the last.")


@router.get("/queues/{queue}")
async def get_queue(
    queue: Queue,
    who: Officer,
    db: Db,
    assignee: Annotated[str | None, Query(pattern="^(me|none|[0-9a-f-]{36})$")] = None,
    q: Annotated[str, Query(max_length=100)] = "",
    after: Annotated[str | None, Query(pattern="^[A-Za-z0-9.-]{1,60}$")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> QueueItems:
    """What waits at the officer's unit, the most urgent first.

    `assignee`: `me`, `none` (nobody has taken it), or an officer's reference. `q` looks into code, owner's name and
    procedure, with or without diacritics. `after` is the `next` of the page before.
    """
    if not who.roles & WORKS_WITH_CONTENT:
        raise NoContentForYourRole
    page = Page(_ref(assignee, who.ref), assignee == "none", q, after, limit)
    rows = await store.queue(db, who.unit, QUEUES[queue], page)
    items = [QueueItem(**store.item(row), label=domain.LABELS[State(row["state"])]) for row in rows]
    total = int(rows[0]["total"]) if rows else 0
    return QueueItems(items=items, total=total, next=items[-1].code if len(items) == limit else None)


def _ref(assignee: str | None, me: UUID) -> UUID | None:
    match assignee:
        case None | "none":
            return None
        case "me":
            return me
        case other:
            return UUID(other)

"""The deadlines of a dossier, each with how it was computed; and what has run out at a unit."""

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from contracts.refusal import Refusal
from kit.auth import Caller, Officer
from kit.clock import now
from kit.http import Db, Router
from services.dossier.clocks import store, words
from services.dossier.clocks.calendar import Cutoff, Unit, What
from services.dossier.clocks.domain import Clock, Kind
from services.dossier.processing import domain as processing
from services.dossier.processing.api import Code, readable

router = Router(prefix="/api/v1", tags=["deadlines"])


class Running(StrEnum):
    """What a clock does now."""

    RUNNING = "running"
    PASSED = "passed"
    """It ran out, and the work is not done."""
    PAUSED = "paused"
    STOPPED = "stopped"


class LimitView(BaseModel):
    """The time limit, and where it comes from."""

    value: float
    unit: Unit
    text: str
    """In Vietnamese: `3 ngày làm việc`."""
    cutoff: Cutoff
    """Received later than this, it counts from the next working day."""
    count_effective_day: bool
    """Whether the day of receipt is day 1."""
    source: str
    """The legal text, in Vietnamese; empty where the procedure itself gives the time."""


class StepView(BaseModel):
    """One step of the computation."""

    what: What
    day: date
    """Local date."""
    since: datetime | None
    until: datetime | None
    amount: float | None
    """Days or hours, by what the step is."""
    name: str
    """The holiday, the cut-off rule, the decision."""
    text: str
    """The step in Vietnamese."""


class PauseView(BaseModel):
    since: datetime
    until: datetime | None
    reason: str


class DeadlineView(BaseModel):
    """One clock of a dossier. Computed when something happened, never again until something else happens."""

    id: UUID
    kind: Kind
    key: str
    """Tells clocks of a kind apart: the workflow step, the consultation."""
    label: str
    """Its name in Vietnamese."""
    unit: str
    """Agency id of who has to act."""
    state: Running
    started_at: datetime
    due_at: datetime
    stopped_at: datetime | None
    passed_at: datetime | None
    """When it was found to have run out."""
    provisional: bool
    """It touches days whose calendar is not decided or not imported yet."""
    limit: LimitView
    pauses: list[PauseView]
    policy_version: str
    """The profile of legal time limits it was computed by."""
    calendar_version: str
    """The edition of the working calendar it was computed by."""
    explanation: list[StepView]


class Deadlines(BaseModel):
    """All clocks that the dossier ever had, in the order they began."""

    code: str
    sla_state: str
    """`on_time`, `due_soon` or `overdue`."""
    due_at: datetime | None
    """The appointment."""
    original_due_at: datetime | None
    """The appointment before it was moved: lateness is measured against it."""
    asked_at: datetime
    """The moment of this answer: what is due before it has run out."""
    items: list[DeadlineView]


class NoSuchDeadline(Refusal):
    """The dossier never had such a clock."""

    status = 404
    title = "Hồ sơ không có thời hạn này"
    title_en = "The dossier has no such deadline"


class Alarm(BaseModel):
    """A clock that ran out while the work is not done."""

    dossier_code: str
    procedure_name: str
    status: str
    status_label: str
    kind: Kind
    key: str
    label: str
    due_at: datetime
    passed_at: datetime


class Alarms(BaseModel):
    items: list[Alarm]


@router.get("/dossiers/{code}/deadlines")
async def get_deadlines(code: Code, caller: Caller, db: Db) -> Deadlines:
    """Every deadline of the dossier and how it was computed, step by step: as data, and in Vietnamese."""
    dossier = await readable(db, code, caller)
    return Deadlines(
        code=code, sla_state=dossier.sla_state, due_at=dossier.due_at, original_due_at=dossier.original_due_at,
        asked_at=now(), items=[_view(clock) for clock in await store.all_of(db, code)],
    )  # fmt: skip


@router.get("/dossiers/{code}/deadlines/{kind}")
async def get_deadline(code: Code, kind: Kind, caller: Caller, db: Db) -> DeadlineView:
    """The newest deadline of that kind and how it was computed."""
    await readable(db, code, caller)
    clock = await store.latest_of(db, code, kind)
    if clock is None:
        raise NoSuchDeadline
    return _view(clock)


@router.get("/alarms")
async def get_alarms(who: Officer, db: Db, limit: Annotated[int, Query(ge=1, le=200)] = 100) -> Alarms:
    """What ran out at the officer's unit and is still undone, the oldest first: the unread, the late, and the
    appointments that need an apology."""
    return Alarms(
        items=[
            Alarm(
                **{name: row[name] for name in ("dossier_code", "procedure_name", "key", "due_at", "passed_at")},
                kind=Kind(row["kind"]), label=words.KINDS[Kind(row["kind"])], status=row["state"],
                status_label=processing.LABELS[processing.State(row["state"])],
            )
            for row in await store.alarms(db, who.unit, limit)
        ]
    )  # fmt: skip


def _view(clock: Clock) -> DeadlineView:
    names = (
        *("id", "kind", "key", "unit", "started_at", "due_at", "stopped_at", "passed_at", "provisional"),
        *("policy_version", "calendar_version"),
    )
    limit = clock.limit
    return DeadlineView(
        **{name: getattr(clock, name) for name in names},
        label=words.KINDS[clock.kind],
        state=_running(clock),
        limit=LimitView(
            value=limit.value, unit=limit.unit, text=words.length(limit), cutoff=limit.cutoff,
            count_effective_day=limit.count_effective_day, source=limit.source,
        ),
        pauses=[PauseView(since=pause.since, until=pause.until, reason=pause.reason) for pause in clock.pauses],
        explanation=[
            StepView(
                what=step.what, day=step.day, since=_utc(step.since), until=_utc(step.until), amount=step.amount,
                name=step.name, text=words.sentence(step, limit),
            )
            for step in clock.steps
        ],
    )  # fmt: skip


def _utc(local: datetime | None) -> datetime | None:
    return local.astimezone(UTC) if local else None


def _running(clock: Clock) -> Running:
    if clock.stopped_at:
        return Running.STOPPED
    if clock.is_paused:
        return Running.PAUSED
    return Running.PASSED if clock.passed_at else Running.RUNNING

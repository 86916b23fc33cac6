"""Reading a dossier, the officers' queues, and what the address of every act has in common."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Path, Query, Response
from pydantic import BaseModel

from contracts.dossier import DeliveryMethod
from contracts.money import FeeLine
from kit.auth import Caller, CitizenToken, Officer, OfficerToken, Token, officer
from kit.db import Connection, Database
from kit.files import FilesDep
from kit.http import Db, Router, etag
from kit.problems import NotFound, VersionConflict
from services.dossier.attachments import store as attachments
from services.dossier.history import store as history
from services.dossier.processing import domain, store
from services.dossier.processing.domain import Actor, Dossier, State
from services.dossier.results.domain import ResultState

router = Router(prefix="/api/v1", tags=["processing"])

Desk = Annotated[OfficerToken, Depends(officer("desk"))]
Code = Annotated[str, Path(pattern="^[A-Za-z0-9.-]{1,60}$")]
"""A dossier's code in an address."""


class Queue(StrEnum):
    """Which work waits."""

    RECEPTION = "reception"
    PROCESSING = "processing"
    SIGNING = "signing"
    ISSUING = "issuing"
    HANDOVER = "handover"


QUEUES: dict[Queue, tuple[tuple[State, ...], tuple[ResultState, ...] | None]] = {
    Queue.RECEPTION: ((State.SUBMITTED, State.SUPPLEMENT_SUBMITTED), None),
    Queue.PROCESSING: ((State.ACCEPTED, State.ASSIGNED, State.IN_PROCESS, State.CONSULTING), None),
    Queue.SIGNING: ((State.PENDING_APPROVAL,), (ResultState.DRAFT,)),
    Queue.ISSUING: (
        (State.PENDING_APPROVAL, State.RESULT_SIGNED),
        (ResultState.SIGNED_BY_LEADER, ResultState.NUMBERED),
    ),
    Queue.HANDOVER: ((State.RESULT_READY,), None),
}


class QueueItem(BaseModel):
    code: str
    procedure_name: str
    state: State
    label: str
    submitted_at: datetime | None
    due_at: datetime | None
    sla_state: str
    """`on_time`, `due_soon` or `overdue`."""
    payment_state: str
    version: int


class QueueItems(BaseModel):
    items: list[QueueItem]


class Moved(BaseModel):
    """Where the dossier is after a command."""

    code: str
    version: int
    status: State
    due_at: datetime | None = None


class FileView(BaseModel):
    id: UUID
    component_code: str
    file_name: str
    content_type: str
    size: int
    pages: int


class HistoryLine(BaseModel):
    act: str
    at: datetime
    unit: str | None
    from_state: State | None
    to_state: State
    label: str
    """The state's name in Vietnamese."""
    reason: str | None


class DossierView(BaseModel):
    """A dossier as its owner and the officers of its units see it."""

    code: str
    version: int
    status: State
    label: str
    procedure_code: str
    procedure_name: str
    case: str
    receiving_unit: str
    current_unit: str
    owner_name: str
    answers: dict[str, Any]
    delivery: DeliveryMethod
    payment_state: str
    fee_lines: list[FeeLine]
    submitted_at: datetime | None
    accepted_at: datetime | None
    due_at: datetime | None
    result_at: datetime | None
    outcome: str | None
    returned_at: datetime | None
    files: list[FileView]
    sla_state: str
    """`on_time`, `due_soon` or `overdue`; the clocks and how they were computed are at `…/deadlines`."""
    next_due_at: datetime | None
    """What has to be kept next: the desk's time to look, the appointment, or the applicant's time to complete."""
    history: list[HistoryLine]


class Link(BaseModel):
    """An address that downloads the file for the next five minutes."""

    url: str


# ── what every act needs ────────────────────────────────────────────────────────────────────────────────────────────


def actor(token: OfficerToken) -> Actor:
    return Actor(token.ref, token.roles, token.unit)


def expect(dossier: Dossier, if_match: int | None) -> None:
    """Refuse when the caller saw another version."""
    if if_match not in (None, dossier.version):
        raise VersionConflict(version=dossier.version)


def moved(dossier: Dossier, response: Response) -> Moved:
    etag(response, dossier.version)
    return Moved(code=dossier.code, version=dossier.version, status=dossier.state, due_at=dossier.due_at)


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────


async def readable(db: Database | Connection, code: str, token: Token) -> Dossier:
    """The dossier, for its owner, whoever sent it, and officers of its units; NotFound for anybody else."""
    dossier = await store.read(db, code)
    facts = dossier.facts
    match token:
        case CitizenToken(ref=ref) if ref in (facts.owner_ref, facts.submitter_ref):
            return dossier
        case OfficerToken(unit=unit) if unit in (facts.receiving_unit, facts.competent_unit, dossier.current_unit):
            return dossier
    raise NotFound("Không có hồ sơ với mã này")


@router.get("/dossiers/{code}")
async def get_dossier(code: Code, caller: Caller, db: Db, response: Response) -> DossierView:
    """Everything about one dossier, with its history and clocks."""
    dossier = await readable(db, code, caller)
    etag(response, dossier.version)
    return await _view(db, dossier)


async def _view(db: Database, dossier: Dossier) -> DossierView:
    facts = dossier.facts
    return DossierView(
        code=dossier.code,
        version=dossier.version,
        status=dossier.state,
        label=domain.LABELS[dossier.state],
        procedure_code=facts.procedure_code,
        procedure_name=facts.procedure_name,
        case=facts.case,
        receiving_unit=facts.receiving_unit,
        current_unit=dossier.current_unit,
        owner_name=facts.owner_name,
        answers=facts.answers,
        delivery=facts.delivery,
        payment_state=dossier.payment_state,
        fee_lines=list(dossier.fee_lines),
        submitted_at=dossier.submitted_at,
        accepted_at=dossier.accepted_at,
        due_at=dossier.due_at,
        result_at=dossier.result_at,
        outcome=dossier.outcome,
        returned_at=dossier.returned_at,
        files=[
            FileView.model_validate(file, from_attributes=True) for file in await attachments.files_of(db, dossier.code)
        ],
        sla_state=dossier.sla_state,
        next_due_at=dossier.next_due_at,
        history=[_line(row) for row in await history.of_dossier(db, dossier.code)],
    )


def _line(row: dict[str, Any]) -> HistoryLine:
    return HistoryLine.model_validate({**row, "label": domain.LABELS[State(row["to_state"])]})


@router.get("/dossiers/{code}/files/{file_id}")
async def get_file(code: Code, file_id: UUID, caller: Caller, db: Db, files: FilesDep) -> Link:
    """A component's file, as it was sent."""
    dossier = await readable(db, code, caller)
    for file in await attachments.every_file_of(db, dossier.code):
        if file.id == file_id:
            return Link(url=files.presign_download(f"clean/{file.sha256}", file_name=file.file_name))
    raise NotFound("Hồ sơ không có tệp này")


@router.get("/queues/{queue}")
async def get_queue(
    queue: Queue,
    who: Officer,
    db: Db,
    after: Annotated[str | None, Query(pattern="^[A-Za-z0-9.-]{1,60}$")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> QueueItems:
    """What waits at the officer's unit, the most urgent first; `after` is the last code of the page before."""
    states, results = QUEUES[queue]
    rows = await store.queue(db, who.unit, states, results, after, limit)
    return QueueItems(items=[QueueItem(**row, label=domain.LABELS[State(row["state"])]) for row in rows])

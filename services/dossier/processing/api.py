"""Reading a dossier, the officers' queues, and what the address of every act has in common."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Path, Response
from pydantic import BaseModel

from contracts.dossier import DeliveryMethod, SignatureStatus
from contracts.money import FeeLine
from kit.auth import Caller, CitizenToken, OfficerToken, Token, officer
from kit.clock import now
from kit.db import Connection, Database
from kit.files import FilesDep
from kit.http import Db, Router, etag
from kit.problems import NotFound, VersionConflict
from services.dossier.attachments import store as attachments
from services.dossier.catalogue import store as catalogue
from services.dossier.catalogue.domain import Procedure
from services.dossier.clocks.acts import rules_of
from services.dossier.history import store as history
from services.dossier.processing import domain, store
from services.dossier.processing.acts.domain import LABELS as ACT_LABELS
from services.dossier.processing.acts.domain import Possible, acts_of
from services.dossier.processing.consultation import store as consultations
from services.dossier.processing.consultation.domain import Consultation
from services.dossier.processing.domain import Act, Actor, Dossier, Role, State
from services.dossier.processing.reading import store as readings
from services.dossier.processing.reading.domain import ReasonToReadMissing, Right, right_of
from services.dossier.processing.work.domain import conflicts
from services.dossier.processing.workflow.domain import Flow
from services.dossier.tenant import Tenant

router = Router(prefix="/api/v1", tags=["processing"])

Desk = Annotated[OfficerToken, Depends(officer("desk"))]
Code = Annotated[str, Path(pattern="^[A-Za-z0-9.-]{1,60}$")]
"""A dossier's code in an address."""


TOLD_TO_THE_APPLICANT = frozenset(
    {Act.REJECT, Act.REFUSE, Act.STOP, Act.WITHDRAW, Act.CLOSE, Act.EXTEND, Act.REQUEST_SUPPLEMENT}
    | {Act.REQUEST_OBLIGATION, Act.REVOKE_RESULT, Act.REPLACE_RESULT}
)
"""Acts whose reason is meant for the applicant; notes, questions and comments stay inside the offices."""


class Moved(BaseModel):
    """Where the dossier is after a command."""

    code: str
    version: int
    status: State
    due_at: datetime | None = None
    warnings: list[str] = []
    """What whoever did it should think of, in Vietnamese."""


class FileView(BaseModel):
    id: UUID
    component_code: str
    file_name: str
    content_type: str
    size: int
    pages: int
    signed: SignatureStatus
    """What the newest check of its digital signatures gave."""


class HistoryLine(BaseModel):
    act: str
    at: datetime
    unit: str | None
    from_state: State | None
    to_state: State
    label: str
    """The state's name in Vietnamese."""
    reason: str | None


class ActView(BaseModel):
    """One act: possible now, or the refusal it would meet (`rule` is the last part of the problem's `type`)."""

    act: str
    label: str
    possible: bool
    rule: str | None
    reason: str | None


class ConsultationView(BaseModel):
    """One question to another unit. `overdue` is that unit's responsibility."""

    id: UUID
    asking_unit: str
    consulted_unit: str
    question: str
    asked_at: datetime
    due_at: datetime
    outcome: str | None
    answer: str | None
    answered_at: datetime | None
    overdue: bool


class DossierView(BaseModel):
    """A dossier as its owner and the officers of its units see it."""

    code: str
    version: int
    status: State
    label: str
    procedure_code: str
    procedure_name: str
    case: str
    parent_code: str | None
    """The interlinked dossier that it is a member of; the members of a parent are at `…/children`."""
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
    step: str | None
    """The step of the workflow that runs: `receive`, `prepare`, … as the catalogue names it."""
    step_role: str | None
    step_due_at: datetime | None
    assignee_ref: UUID | None
    refusal_proposed: bool
    consultations: list[ConsultationView]
    """Questions to other units; for officers only."""
    acts: list[ActView]
    """What the caller may do now, and why not the rest."""
    warnings: list[str]
    """What whoever decides should think of, in Vietnamese; for officers only."""


class Link(BaseModel):
    """An address that downloads the file for the next five minutes."""

    url: str


# ── what every act needs ────────────────────────────────────────────────────────────────────────────────────────────


def actor(token: OfficerToken) -> Actor:
    return Actor(token.ref, token.roles, token.unit)


def citizen_actor(token: CitizenToken) -> Actor:
    """The owner, or whoever sent the dossier for them."""
    return Actor(token.ref, frozenset({Role.OWNER}))


def actor_of(token: Token) -> Actor:
    """Whoever calls, as somebody who acts on dossiers."""
    match token:
        case OfficerToken():
            return actor(token)
        case CitizenToken():
            return citizen_actor(token)
        case _:
            return Actor(None, frozenset())


async def flow_of(tx: Database | Connection, dossier: Dossier, tenant: Tenant) -> tuple[Procedure, Flow]:
    """The version of the procedure that the dossier keeps, and the workflow of its case."""
    procedure, _ = await catalogue.version(tx, dossier.facts.procedure_id)
    rules = await rules_of(tx, dossier, tenant, now())
    return procedure, Flow(procedure.case(dossier.facts.case).steps, rules)


def expect(dossier: Dossier, if_match: int | None) -> None:
    """Refuse when the caller saw another version."""
    if if_match not in (None, dossier.version):
        raise VersionConflict(version=dossier.version)


def moved(dossier: Dossier, response: Response, warnings: Iterable[str] = ()) -> Moved:
    etag(response, dossier.version)
    return Moved(
        code=dossier.code, version=dossier.version, status=dossier.state, due_at=dossier.due_at, warnings=[*warnings]
    )


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────


async def readable(db: Database | Connection, code: str, token: Token, what: str = "dossier") -> Dossier:
    """The dossier, for its owner, whoever sent it, and officers who may read it; NotFound for anybody else.

    `what` is remembered: every reading by an officer leaves a line with who, when, of which unit, by what right.
    """
    dossier = await store.read(db, code)
    match token:
        case CitizenToken(ref=ref) if ref in (dossier.facts.owner_ref, dossier.facts.submitter_ref):
            return dossier
        case OfficerToken():
            await _officer_reads(db, dossier, token, what)
            return dossier
    raise NotFound("Không có hồ sơ với mã này")


async def _officer_reads(db: Database | Connection, dossier: Dossier, who: OfficerToken, what: str) -> None:
    right, reason = right_of(dossier, actor(who)), None
    if right is None:
        raise NotFound("Không có hồ sơ với mã này")
    if right is Right.INSPECTION:
        reason = await readings.reason_of(db, dossier.code, who.ref)
        if reason is None:
            raise ReasonToReadMissing
    await readings.log(db, dossier.code, who.ref, who.unit, right, what, reason)


@router.get("/dossiers/{code}")
async def get_dossier(code: Code, caller: Caller, db: Db, response: Response) -> DossierView:
    """Everything about one dossier, with its history and clocks, and what the caller may do with it now."""
    dossier = await readable(db, code, caller)
    etag(response, dossier.version)
    return await _view(db, dossier, caller)


async def _view(db: Database, dossier: Dossier, caller: Token) -> DossierView:
    facts, officer = dossier.facts, caller if isinstance(caller, OfficerToken) else None
    asked = await consultations.of_dossier(db, dossier.code) if officer else []
    return DossierView(
        code=dossier.code,
        version=dossier.version,
        status=dossier.state,
        label=domain.LABELS[dossier.state],
        procedure_code=facts.procedure_code,
        procedure_name=facts.procedure_name,
        case=facts.case,
        parent_code=facts.parent_code,
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
        history=[_line(row, inside=officer is not None) for row in await history.of_dossier(db, dossier.code)],
        step=dossier.step,
        step_role=dossier.step_role,
        step_due_at=dossier.step_due_at,
        assignee_ref=dossier.assignee_ref if officer else None,
        refusal_proposed=dossier.refusal_proposed and officer is not None,
        consultations=[_consultation(one) for one in asked],
        acts=[_act(one) for one in acts_of(dossier, actor_of(caller), now())],
        warnings=list(conflicts(dossier, officer.ref, officer.name)) if officer else [],
    )


def _line(row: dict[str, Any], *, inside: bool) -> HistoryLine:
    """What one office writes to another is not shown outside."""
    reason = row["reason"] if inside or row["act"] in TOLD_TO_THE_APPLICANT else None
    return HistoryLine.model_validate({**row, "label": domain.LABELS[State(row["to_state"])], "reason": reason})


def _act(one: Possible) -> ActView:
    no = one.refusal
    return ActView(
        act=one.act, label=ACT_LABELS[one.act], possible=no is None, rule=no.type().rpartition(":")[2] if no else None,
        reason=(no.detail or no.title) if no else None,
    )  # fmt: skip


def _consultation(one: Consultation) -> ConsultationView:
    return ConsultationView(
        id=one.id, asking_unit=one.asking_unit, consulted_unit=one.consulted_unit, question=one.question,
        asked_at=one.asked_at, due_at=one.due_at, outcome=one.outcome, answer=one.answer,
        answered_at=one.answered_at, overdue=one.overdue(now()),
    )  # fmt: skip


@router.get("/dossiers/{code}/files/{file_id}")
async def get_file(code: Code, file_id: UUID, caller: Caller, db: Db, files: FilesDep) -> Link:
    """A component's file, as it was sent."""
    dossier = await readable(db, code, caller, f"file {file_id}")
    for file in await attachments.every_file_of(db, dossier.code):
        if file.id == file_id:
            return Link(url=files.presign_download(f"clean/{file.sha256}", file_name=file.file_name))
    raise NotFound("Hồ sơ không có tệp này")

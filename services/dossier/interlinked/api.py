"""The members of a parent, their acknowledgement, and errors in results that go back upstream."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from contracts.dossier import GroupState, MemberState, QuestionOutcome
from kit import ids
from kit.auth import Caller, CitizenToken, Officer, OfficerToken, SystemToken, Token, officer
from kit.clock import now
from kit.db import Connection, Database
from kit.files import Files, FilesDep
from kit.http import Db, IfMatch, Later, Router, Tx, etag
from kit.problems import Forbidden, NotFound
from services.dossier.attachments import store as files_store
from services.dossier.attachments.domain import ComponentFile
from services.dossier.clocks import store as clocks
from services.dossier.clocks.domain import Kind
from services.dossier.interlinked import domain, members, store
from services.dossier.interlinked.domain import Branch, Doubt
from services.dossier.processing import store as dossiers
from services.dossier.processing.api import Code, Moved, actor, expect, moved
from services.dossier.processing.disclosure.domain import check_words
from services.dossier.processing.domain import LABELS, SYSTEM, Actor, Dossier
from services.dossier.results import store as results
from services.dossier.tenant import Tenant, TenantDep

router = Router(prefix="/api/v1", tags=["interlinked"])

Handler = Annotated[OfficerToken, Depends(officer("desk", "specialist", "division_head", "leader"))]


class Child(BaseModel):
    """One member of an interlinked dossier."""

    code: str
    """Of the member within its group."""
    name: str
    procedure_code: str
    procedure_name: str
    unit: str
    unit_name: str
    after: list[str]
    """Members whose results must exist first."""
    state: MemberState
    dossier_code: str | None
    """The dossier it became; null before it started."""
    status: str | None
    label: str | None
    """That dossier's state, in Vietnamese."""
    accepted_at: datetime | None
    result_at: datetime | None
    acknowledged_at: datetime | None
    """When the other agency confirmed that it has it."""
    reason: str | None
    """Why it was never started."""


class Children(BaseModel):
    """An interlinked dossier and what it consists of."""

    code: str
    version: int
    state: GroupState
    label: str
    due_at: datetime | None
    """When the last result is due; null before the first member was accepted."""
    items: list[Child]


class Unacknowledged(BaseModel):
    """A member that another agency has not confirmed yet."""

    dossier_code: str
    parent_code: str
    procedure_name: str
    unit: str
    """Where it was sent."""
    receiving_unit: str
    """Where its parent was taken in."""
    sent_at: datetime
    due_at: datetime
    overdue: bool
    fix_by: datetime | None
    """When it is overdue: the close of that working day, by which it must be put right."""


class UnacknowledgedList(BaseModel):
    items: list[Unacknowledged]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewQuestion(Body):
    """An error that was found in an earlier member's result."""

    member: str = Field(max_length=40)
    """Code of the member whose result it is."""
    reason: str = Field(min_length=5, max_length=2000)
    """What is wrong, in Vietnamese, without naming people: the other agency reads it in the dossier."""


class Answer(Body):
    outcome: QuestionOutcome


class QuestionView(BaseModel):
    """A question about a result, from the agency of a later member to the one that issued it."""

    id: UUID
    parent_code: str
    asking_dossier: str
    asking_unit: str
    about_dossier: str
    unit: str
    """Who has to answer."""
    reason: str
    asked_at: datetime
    answered_at: datetime | None
    outcome: QuestionOutcome | None


class Questions(BaseModel):
    items: list[QuestionView]


# ── the parent and its members ────────────────────────────────────────────────────────────────────────────────


@router.get("/dossiers/{code}/children")
async def get_children(code: Code, caller: Caller, db: Db, tenant: TenantDep, response: Response) -> Children:
    """What an interlinked dossier consists of: for its owner, whoever sent it, and officers of the units involved."""
    parent = await dossiers.read(db, code)
    branches = await store.branches(db, code)
    if not branches or not _may_see(parent, branches, caller):
        raise NotFound("Không có hồ sơ liên thông với mã này")
    etag(response, parent.version)
    return Children(
        code=parent.code,
        version=parent.version,
        state=domain.group_state(branches),
        label=LABELS[parent.state],
        due_at=parent.due_at,
        items=[_child(branch, tenant) for branch in branches],
    )


def _may_see(parent: Dossier, branches: list[Branch], token: Token) -> bool:
    match token:
        case CitizenToken(ref=ref):
            return ref in (parent.facts.owner_ref, parent.facts.submitter_ref)
        case OfficerToken(unit=unit):
            return unit in {parent.facts.receiving_unit, *(branch.unit for branch in branches)}
    return False


def _child(branch: Branch, tenant: Tenant) -> Child:
    plan, unit = branch.plan, tenant.units.get(branch.unit)
    return Child(
        code=plan.code,
        name=plan.name,
        procedure_code=plan.procedure,
        procedure_name=branch.procedure_name,
        unit=branch.unit,
        unit_name=unit.name if unit else branch.unit,
        after=list(plan.after),
        state=branch.state,
        dossier_code=branch.dossier_code,
        status=branch.dossier_state,
        label=LABELS[branch.dossier_state] if branch.dossier_state else None,
        accepted_at=branch.accepted_at,
        result_at=branch.result_at,
        acknowledged_at=branch.acknowledged_at,
        reason=branch.not_started,
    )


# ── acknowledgement ───────────────────────────────────────────────────────────────────────────────────────────


@router.post("/dossiers/{code}/acknowledgement")
async def acknowledge(
    code: Code, caller: Caller, tx: Tx, if_match: IfMatch, tenant: TenantDep, response: Response
) -> Moved:
    """The agency that a member was sent to, or its system, confirms that it has it; again changes nothing."""
    dossier = await dossiers.lock(tx, code)
    by = _agency(caller, dossier, tenant)
    if await store.acknowledged_at(tx, code):
        return moved(dossier, response)
    expect(dossier, if_match)
    clock = await clocks.latest_of(tx, code, Kind.ACKNOWLEDGEMENT)
    if clock is None:
        raise domain.NothingToAcknowledge
    moment = now()
    confirmed, event = domain.acknowledge(dossier, by, clock.due_at, moment)
    await store.acknowledged(tx, code, moment, caller.subject)
    await clocks.stop(tx, code, [Kind.ACKNOWLEDGEMENT], moment)
    await dossiers.save(tx, confirmed, event)
    return moved(confirmed, response)


def _agency(token: Token, dossier: Dossier, tenant: Tenant) -> Actor:
    """An officer of the agency, or the system that the tenant names for it."""
    unit = dossier.facts.competent_unit
    match token:
        case OfficerToken() if token.unit == unit:
            return actor(token)
        case SystemToken(name=name) if tenant.systems.get(unit) == name:
            return SYSTEM
        case OfficerToken() | SystemToken():
            raise domain.NotSentToYou
    raise Forbidden


@router.get("/unacknowledged-dossiers")
async def list_unacknowledged(
    who: Officer, db: Db, tenant: TenantDep, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> UnacknowledgedList:
    """Members of interlinked dossiers that were sent to the officer's unit, or from it, and wait for confirmation."""
    moment = now()
    return UnacknowledgedList(
        items=[_unacknowledged(dict(row), moment, tenant) for row in await store.unacknowledged(db, who.unit, limit)]
    )


def _unacknowledged(row: dict[str, datetime], moment: datetime, tenant: Tenant) -> Unacknowledged:
    overdue = row["due_at"] < moment
    day = tenant.calendar.effective_day(row["due_at"])
    return Unacknowledged.model_validate(
        {**row, "overdue": overdue, "fix_by": tenant.calendar.closing(day) if overdue else None}
    )


# ── an error in an earlier result ─────────────────────────────────────────────────────────────────────────────


@router.post("/dossiers/{code}/result-questions", status_code=201)
async def question_result(code: Code, body: NewQuestion, who: Handler, tx: Tx) -> QuestionView:
    """The agency of a member returns an error in an earlier member's result upstream, to whoever issued it."""
    asking = await dossiers.read(tx, code)
    check_words(asking.facts, body.reason)
    about = await dossiers.lock(tx, await _earlier(tx, asking, body.member))
    told, said, question = domain.doubt(asking, about, actor(who), body.reason, ids.new(), now())
    if await store.is_open(tx, asking.code, about.code):
        raise domain.AlreadyAsked
    await store.ask(tx, question, who.ref)
    await dossiers.save(tx, told, said)
    return _view(question)


async def _earlier(tx: Connection, asking: Dossier, member: str) -> str:
    """Code of the dossier that the earlier member became."""
    branches = {each.code: each for each in await store.branches(tx, asking.facts.parent_code or "")}
    own = next((each for each in branches.values() if each.dossier_code == asking.code), None)
    if own is None or member not in own.plan.after:
        raise domain.NotBeforeYou
    return branches[member].dossier_code or ""


@router.get("/result-questions")
async def list_questions(
    who: Officer, db: Db, answered: bool = False, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> Questions:
    """Questions about results, to the officer's unit and by it; `answered` shows the closed ones too."""
    found = await store.questions(db, who.unit, answered=answered, limit=limit)
    return Questions(items=[_view(question) for question in found])


@router.post("/result-questions/{question_id}/answer")
async def answer_question(
    question_id: UUID, body: Answer, who: Handler, db: Db, later: Later, files: FilesDep
) -> QuestionView:
    """Whoever issued the result answers. After a correction the asking member has the corrected document."""
    question = await store.question(db, question_id)
    corrected = body.outcome == QuestionOutcome.CORRECTED
    handed_on = await _corrected(db, files, question) if corrected else ()
    return _view(await _answer(await later.begin(), question_id, body.outcome, handed_on, who))


async def _corrected(db: Database, files: Files, question: Doubt) -> tuple[ComponentFile, ...]:
    """The corrected result as the asking member's components; NothingCorrected when the result is what it was."""
    result = await results.read(db, question.about_dossier)
    name = members.file_name(result)
    had = [file for file in await files_store.files_of(db, question.asking_dossier) if file.file_name == name]
    if any(file.sha256 == result.sha256 for file in had):
        raise domain.NothingCorrected
    return tuple([await members.as_component(files, file.component_code, result) for file in had])


async def _answer(
    tx: Connection, question_id: UUID, outcome: QuestionOutcome, handed_on: Sequence[ComponentFile], who: OfficerToken
) -> Doubt:
    moment, question = now(), await store.lock_question(tx, question_id)
    about = await dossiers.lock(tx, question.about_dossier)
    told, said, answered = domain.resolve(about, question, actor(who), outcome, moment)
    await store.answer(tx, answered, who.ref)
    await dossiers.save(tx, told, said)
    asking, heard = domain.hear(await dossiers.lock(tx, question.asking_dossier), answered, outcome, moment)
    await files_store.add_files(tx, asking.code, asking.version, handed_on)
    await dossiers.save(tx, asking, heard)
    return answered


def _view(question: Doubt) -> QuestionView:
    return QuestionView.model_validate(question, from_attributes=True)

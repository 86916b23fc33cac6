"""Asking another unit, and answering."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from contracts.dossier import ConsultationOutcome
from kit import ids
from kit.auth import OfficerToken, officer
from kit.clock import now
from kit.http import IfMatch, Router, Tx
from services.dossier.clocks import store as clocks
from services.dossier.clocks.acts import rules_of
from services.dossier.clocks.domain import Start, consultation
from services.dossier.processing import store as dossiers
from services.dossier.processing.api import Code, Moved, actor, expect, moved
from services.dossier.processing.consultation import domain, store
from services.dossier.processing.consultation.domain import Question
from services.dossier.tenant import TenantDep

router = Router(prefix="/api/v1", tags=["processing"])

Specialist = Annotated[OfficerToken, Depends(officer("specialist"))]
Answerer = Annotated[OfficerToken, Depends(officer("specialist", "division_head", "leader"))]
DEFAULT_HOURS = 24.0
"""Three working days."""


class ConsultationRequest(BaseModel):
    """Whom to ask what. The question stays between the units; the hours are working hours."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    unit: str = Field(max_length=60, examples=["H99.02.02"])
    question: str = Field(min_length=1, max_length=4000)
    hours: float = Field(DEFAULT_HOURS, gt=0, le=400)


class Opinion(BaseModel):
    """What the unit answers: `agreed`, `disagreed`, or `answered` (information, neither yes nor no)."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    outcome: ConsultationOutcome
    answer: str = Field(min_length=1, max_length=4000)


class Asked(Moved):
    consultation_id: UUID


@router.post("/dossiers/{code}/consultations", status_code=201)
async def ask_opinion(
    code: Code, body: ConsultationRequest, who: Specialist, tx: Tx, if_match: IfMatch, tenant: TenantDep,
    response: Response,
) -> Asked:  # fmt: skip
    """The specialist asks another unit for its opinion, one at a time; the applicant's clock runs on."""
    dossier = await dossiers.lock(tx, code)
    expect(dossier, if_match)
    question = Question(ids.new(), body.unit, body.question, body.hours)
    consulting, asked, event = domain.consult(dossier, actor(who), now(), question, tenant.calendar, tenant.units)
    await dossiers.save(tx, consulting, event)
    await store.ask(tx, asked)
    rules = await rules_of(tx, dossier, tenant, asked.asked_at)
    start = Start(code, asked.consulted_unit, asked.asked_at, rules)
    await clocks.start(tx, consultation(asked.id, start, ids.new, asked.due_at))
    return Asked(**moved(consulting, response).model_dump(), consultation_id=asked.id)


@router.post("/dossiers/{code}/consultations/{consultation_id}/answer")
async def answer_opinion(
    code: Code, consultation_id: UUID, body: Opinion, who: Answerer, tx: Tx, if_match: IfMatch, response: Response
) -> Moved:
    """An officer of the unit that was asked, and nobody else, answers: the work goes on."""
    dossier = await dossiers.lock(tx, code)
    expect(dossier, if_match)
    asked = await store.read(tx, consultation_id)
    working, ended, event = domain.answer(dossier, asked, actor(who), now(), body.outcome, body.answer)
    await dossiers.save(tx, working, event)
    await store.answer(tx, ended)
    return moved(working, response)


@router.post("/dossiers/{code}/consultations/{consultation_id}/lapse")
async def go_on_unanswered(
    code: Code, consultation_id: UUID, who: Specialist, tx: Tx, if_match: IfMatch, response: Response
) -> Moved:
    """The unit did not answer in time: the work goes on without it, and whose silence it was stays on record."""
    dossier = await dossiers.lock(tx, code)
    expect(dossier, if_match)
    asked = await store.read(tx, consultation_id)
    working, ended, event = domain.continue_unanswered(dossier, asked, actor(who), now())
    await dossiers.save(tx, working, event)
    await store.answer(tx, ended)
    return moved(working, response)

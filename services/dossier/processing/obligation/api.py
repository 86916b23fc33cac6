"""Financial obligations: asked for by the specialist, seen to be met by the desk."""

from typing import Annotated

from fastapi import Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from kit.auth import OfficerToken, officer
from kit.clock import now
from kit.http import IfMatch, Router, Tx
from services.dossier.clocks.acts import follow_step, go_on, hold
from services.dossier.processing import store
from services.dossier.processing.api import Code, Moved, actor, expect, flow_of, moved
from services.dossier.processing.disclosure.domain import check_words
from services.dossier.processing.obligation import domain
from services.dossier.processing.obligation.domain import Obligation
from services.dossier.tenant import TenantDep

router = Router(prefix="/api/v1", tags=["processing"])

PAUSED_BY = "Chờ người nộp hồ sơ thực hiện nghĩa vụ tài chính"
Specialist = Annotated[OfficerToken, Depends(officer("specialist"))]
Witness = Annotated[OfficerToken, Depends(officer("desk", "specialist"))]


class ObligationRequest(BaseModel):
    """What the applicant has to pay, by which notice; words without personal data, whole đồng."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    purpose: str = Field(min_length=1, max_length=500, examples=["Lệ phí trước bạ"])
    legal_basis: str = Field(min_length=1, max_length=500)
    amount: int | None = Field(None, ge=1, le=1_000_000_000_000)


class Proof(BaseModel):
    """The paper that proves the payment."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    evidence: str = Field(min_length=1, max_length=200, examples=["Giấy nộp tiền số 0001234"])


@router.post("/dossiers/{code}/financial-obligation")
async def request_obligation(
    code: Code, body: ObligationRequest, who: Specialist, tx: Tx, if_match: IfMatch, tenant: TenantDep,
    response: Response,
) -> Moved:  # fmt: skip
    """The applicant has to meet a financial obligation before the work goes on (tax office, treasury)."""
    dossier = await store.lock(tx, code)
    expect(dossier, if_match)
    check_words(dossier.facts, body.purpose, body.legal_basis)
    procedure, flow = await flow_of(tx, dossier, tenant)
    pauses = procedure.case(dossier.facts.case).obligation_pauses_clock
    owed = Obligation(body.purpose, body.legal_basis, body.amount)
    waiting, event = domain.request_obligation(dossier, actor(who), now(), owed, pauses=pauses)
    await store.save(tx, waiting, event)
    await follow_step(tx, waiting, flow, event.occurred_at)
    if pauses:
        await hold(tx, code, event.occurred_at, PAUSED_BY)
    return moved(waiting, response)


@router.post("/dossiers/{code}/financial-obligation/confirmation")
async def confirm_obligation(
    code: Code, body: Proof, who: Witness, tx: Tx, if_match: IfMatch, tenant: TenantDep, response: Response
) -> Moved:
    """The proof of payment was seen: the work goes on."""
    dossier = await store.lock(tx, code)
    expect(dossier, if_match)
    _, flow = await flow_of(tx, dossier, tenant)
    moment = now()
    resumed = await go_on(tx, code, flow.rules, moment)
    working, *events = domain.confirm_obligation(
        dossier, actor(who), moment, body.evidence, flow, resumed.due_at if resumed else None
    )
    await store.save(tx, working, *events)
    await follow_step(tx, working, flow, moment)
    return moved(working, response)

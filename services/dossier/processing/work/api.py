"""The work on an accepted dossier: who has it, where it goes, who looks at the draft."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from kit.auth import Officer, OfficerToken, officer
from kit.clock import now
from kit.http import Db, IfMatch, Router, Tx
from kit.problems import Forbidden
from services.dossier.clocks.acts import follow_step
from services.dossier.processing import store
from services.dossier.processing.api import Code, Moved, actor, expect, flow_of, moved
from services.dossier.processing.disclosure.domain import check_words
from services.dossier.processing.work import domain
from services.dossier.processing.work import store as standing
from services.dossier.processing.work.domain import Level, Order
from services.dossier.tenant import Tenant, TenantDep

router = Router(prefix="/api/v1", tags=["processing"])

Assigner = Annotated[OfficerToken, Depends(officer("division_head", "leader", "specialist"))]
Forwarder = Annotated[OfficerToken, Depends(officer("desk", "specialist", "division_head", "leader"))]
Head = Annotated[OfficerToken, Depends(officer("division_head"))]
Reviewer = Annotated[OfficerToken, Depends(officer("division_head", "leader"))]
Orderer = Annotated[OfficerToken, Depends(officer("division_head", "leader"))]
UnitCode = Annotated[str, Path(pattern=r"^[A-Z]\d{2}(\.\d{2}){0,3}$")]


class Assignment(BaseModel):
    """Who is to work on it; without a reference, whoever asks takes it."""

    model_config = ConfigDict(extra="forbid")

    officer_ref: UUID | None = None


class Forwarding(BaseModel):
    """An order to forward (lệnh chuyển hồ sơ). The note stays inside the house; the hours are working hours."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    to_unit: str = Field(max_length=60, examples=["H99.02.02"])
    note: str = Field(min_length=1, max_length=2000)
    hours: float | None = Field(None, gt=0, le=400, description="For the step that begins; else the catalogue's.")


class Comment(BaseModel):
    """Why the draft comes back, in Vietnamese and without personal data."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    comment: str = Field(min_length=1, max_length=2000)


class StandingAssignment(BaseModel):
    """New dossiers of this procedure (of any, when empty) go to this specialist without being asked."""

    model_config = ConfigDict(extra="forbid")

    officer_ref: UUID
    procedure_code: str = Field("", max_length=40)


class StandingOrder(StandingAssignment):
    since: datetime
    ordered_by: UUID


class StandingOrders(BaseModel):
    items: list[StandingOrder]


@router.post("/dossiers/{code}/assignment")
async def assign_dossier(
    code: Code, who: Assigner, tx: Tx, if_match: IfMatch, tenant: TenantDep, response: Response,
    body: Assignment | None = None,
) -> Moved:  # fmt: skip
    """A specialist takes the dossier, or the division head or leader gives it to one. Of many takers, one has it."""
    dossier = await store.lock(tx, code)
    expect(dossier, if_match)
    _, flow = await flow_of(tx, dossier, tenant)
    assigned, event = domain.assign(dossier, actor(who), now(), flow, body.officer_ref if body else None)
    await store.save(tx, assigned, event)
    await follow_step(tx, assigned, flow, event.occurred_at)
    return moved(assigned, response)


@router.post("/dossiers/{code}/forwarding")
async def forward_dossier(
    code: Code, body: Forwarding, who: Forwarder, tx: Tx, if_match: IfMatch, tenant: TenantDep, response: Response
) -> Moved:
    """The dossier goes upward or sideways to another unit, which alone acts from now on; this one reads."""
    dossier = await store.lock(tx, code)
    expect(dossier, if_match)
    procedure, flow = await flow_of(tx, dossier, tenant)
    order = Order(body.to_unit, body.note, body.hours)
    forwarded, event = domain.forward(
        dossier, actor(who), now(), order, flow, levels(tenant), procedure.competent_level
    )
    await store.save(tx, forwarded, event)
    await follow_step(tx, forwarded, flow, event.occurred_at)
    return moved(forwarded, response)


def levels(tenant: Tenant) -> dict[str, Level]:
    return {code: Level(unit.level, unit.parent) for code, unit in tenant.units.items()}


@router.post("/dossiers/{code}/review")
async def review_draft(
    code: Code, who: Head, tx: Tx, if_match: IfMatch, tenant: TenantDep, response: Response
) -> Moved:
    """The head of the division agrees with the draft: it goes to the leader."""
    dossier = await store.lock(tx, code)
    expect(dossier, if_match)
    _, flow = await flow_of(tx, dossier, tenant)
    reviewed, event = domain.review(dossier, actor(who), now(), flow)
    await store.save(tx, reviewed, event)
    await follow_step(tx, reviewed, flow, event.occurred_at)
    return moved(reviewed, response)


@router.post("/dossiers/{code}/return")
async def return_draft(
    code: Code, body: Comment, who: Reviewer, tx: Tx, if_match: IfMatch, tenant: TenantDep, response: Response
) -> Moved:
    """The division head or the leader sends the draft back to the specialist with a comment."""
    dossier = await store.lock(tx, code)
    expect(dossier, if_match)
    check_words(dossier.facts, body.comment)
    _, flow = await flow_of(tx, dossier, tenant)
    returned, event = domain.return_step(dossier, actor(who), now(), flow, body.comment)
    await store.save(tx, returned, event)
    await follow_step(tx, returned, flow, event.occurred_at)
    return moved(returned, response)


# ── standing orders ───────────────────────────────────────────────────────────────────────────────────────────


def _of_the_unit(who: OfficerToken, unit: str) -> None:
    if who.unit != unit:
        raise Forbidden


@router.get("/units/{unit}/standing-assignments")
async def list_standing_assignments(unit: UnitCode, who: Officer, db: Db) -> StandingOrders:
    """Who gets new dossiers of the unit without being asked."""
    _of_the_unit(who, unit)
    return StandingOrders(items=[StandingOrder(**row) for row in await standing.standing(db, unit)])


@router.post("/units/{unit}/standing-assignments", status_code=204)
async def give_standing_assignment(unit: UnitCode, body: StandingAssignment, who: Orderer, tx: Tx) -> None:
    """From now on the specialist gets new dossiers; among several, whoever has the least work at hand."""
    _of_the_unit(who, unit)
    await standing.give(tx, unit, body.procedure_code, body.officer_ref, now(), who.ref)


@router.delete("/units/{unit}/standing-assignments/{officer_ref}", status_code=204)
async def end_standing_assignment(
    unit: UnitCode, officer_ref: UUID, who: Orderer, tx: Tx, procedure_code: str = ""
) -> None:
    """The specialist gets no more new dossiers of the procedure by themselves."""
    _of_the_unit(who, unit)
    await standing.take(tx, unit, procedure_code, officer_ref)

"""Moving an appointment over HTTP: decided by the leader of the competent agency, published by the desk."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from contracts.dossier import ExtensionKind
from kit import ids
from kit.auth import Caller, CitizenToken, OfficerToken, officer
from kit.clock import now
from kit.db import Connection
from kit.http import Db, IfMatch, Router, Tx, etag
from services.dossier.clocks import acts
from services.dossier.clocks import domain as clocks
from services.dossier.clocks import store as clock_store
from services.dossier.clocks.domain import Kind, Rules
from services.dossier.extension import domain, store
from services.dossier.extension.domain import Extension, Wish
from services.dossier.forms import store as forms
from services.dossier.forms.domain import ApologyFacts, Form
from services.dossier.processing import store as dossiers
from services.dossier.processing.api import Code, Desk, Moved, actor, expect, flow_of, moved, readable
from services.dossier.processing.disclosure.domain import check_words
from services.dossier.processing.domain import Act, Dossier, allowed
from services.dossier.tenant import TenantDep

router = Router(prefix="/api/v1", tags=["extension"])

Leader = Annotated[OfficerToken, Depends(officer("leader"))]


class NewExtension(BaseModel):
    """The new date and why the old one cannot be kept, in Vietnamese and without personal data: it is public."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    kind: ExtensionKind
    """`apology`: the agency is late, at most once. `by_law`: the law gives more time for this case."""
    new_date: date
    """A working day; the appointment is at close of business."""
    reason: str = Field(max_length=2000, pattern=r"^[^\x00]*$")


class ExtensionView(BaseModel):
    """A decision to move the appointment."""

    id: UUID
    kind: ExtensionKind
    reason: str
    legal_basis: str
    old_due_at: datetime | None
    new_due_at: datetime
    decided_at: datetime
    published_at: datetime | None
    """None: it waits for the desk, and the applicant has not heard of it."""
    mau04_ref: str | None


class Extensions(BaseModel):
    items: list[ExtensionView]


@router.post("/dossiers/{code}/extension", status_code=201)
async def decide_extension(
    code: Code, body: NewExtension, who: Leader, tx: Tx, tenant: TenantDep, if_match: IfMatch, response: Response
) -> ExtensionView:
    """The leader decides to move the appointment; the desk publishes it."""
    dossier = await dossiers.lock(tx, code)
    expect(dossier, if_match)
    check_words(dossier.facts, body.reason)
    procedure, flow = await flow_of(tx, dossier, tenant)
    wish = Wish(body.kind, body.new_date, body.reason)
    case, before = procedure.case(dossier.facts.case), await store.of_dossier(tx, code)
    extension = domain.decide(dossier, actor(who), now(), ids.new(), wish, case, flow.rules, before)
    await store.decide(tx, extension)
    etag(response, dossier.version)
    return _view(extension)


@router.delete("/dossiers/{code}/extension", status_code=204)
async def drop_extension(code: Code, who: Leader, tx: Tx) -> None:
    """The decision is taken back before the desk has published it."""
    dossier = await dossiers.lock(tx, code)
    allowed(dossier, Act.EXTEND, actor(who))
    await store.drop(tx, code)


@router.post("/dossiers/{code}/extension/publication")
async def publish_extension(
    code: Code, who: Desk, tx: Tx, tenant: TenantDep, if_match: IfMatch, response: Response
) -> Moved:
    """The desk tells the applicant the new date (Mẫu 04 for an apology); lateness counts from the first one."""
    dossier = await dossiers.lock(tx, code)
    expect(dossier, if_match)
    extension, moment = await store.waiting(tx, code), now()
    mau04 = await _apologise(tx, dossier, extension, who, moment)
    extended, published, event = domain.publish(dossier, extension, actor(who), moment, mau04)
    await store.publish(tx, published)
    await dossiers.save(tx, extended, event)
    _, flow = await flow_of(tx, dossier, tenant)
    await _move_clock(tx, published, flow.rules)
    return moved(extended, response)


async def _apologise(
    tx: Connection, dossier: Dossier, extension: Extension, who: OfficerToken, at: datetime
) -> str | None:
    """Mẫu 04, signed by the head who decided; more time by law needs no apology."""
    if extension.kind != ExtensionKind.APOLOGY or dossier.due_at is None:
        return None
    facts = ApologyFacts(
        unit=extension.decided_unit, at=at, officer=who.name, accepted_at=dossier.accepted_at or at,
        due_at=dossier.due_at, new_due_at=extension.new_due_at, reason=extension.reason,
        signer_ref=extension.decided_by,
    )  # fmt: skip
    return await forms.order(tx, dossier.code, Form.APOLOGY, "", facts)


async def _move_clock(tx: Connection, extension: Extension, rules: Rules) -> None:
    for promise in await clock_store.running_of(tx, extension.dossier_code, Kind.PROCESSING_DEADLINE):
        later = clocks.extended(promise, extension.new_due_at, extension.reason)
        await clock_store.save(tx, later)
        await acts.start_alarms(tx, later, rules, apologised=extension.kind == ExtensionKind.APOLOGY)


@router.get("/dossiers/{code}/extensions")
async def list_extensions(code: Code, caller: Caller, db: Db) -> Extensions:
    """Every move of the appointment; what the desk has not published is the officers' alone."""
    await readable(db, code, caller)
    found = await store.of_dossier(db, code)
    told = [each for each in found if each.published_at or not isinstance(caller, CitizenToken)]
    return Extensions(items=[_view(extension) for extension in told])


def _view(extension: Extension) -> ExtensionView:
    return ExtensionView(**{name: getattr(extension, name) for name in ExtensionView.model_fields})

"""The supplement over HTTP: the desk and the specialist ask, the applicant answers, oversight reads."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from contracts.dossier import Stage
from kit import ids
from kit.auth import Caller, Citizen, CitizenToken, OfficerToken, officer
from kit.clock import now
from kit.db import Connection, Database
from kit.files import Files, FilesDep
from kit.http import Db, IfMatch, Later, Router, Tx
from kit.problems import NotFound
from services.dossier.attachments import domain as attachments
from services.dossier.attachments import examination
from services.dossier.attachments import store as uploads
from services.dossier.attachments.domain import Upload
from services.dossier.catalogue import store as catalogue
from services.dossier.catalogue.domain import Case, Procedure
from services.dossier.clocks import acts
from services.dossier.filing import answers
from services.dossier.processing import store as dossiers
from services.dossier.processing.api import Code, Desk, Moved, actor, expect, moved, readable
from services.dossier.processing.disclosure.domain import check_words
from services.dossier.processing.domain import Actor, Dossier
from services.dossier.supplement import domain, issuing, store
from services.dossier.supplement.domain import Ask, Request, RequestState, SupplementIncomplete, Why
from services.dossier.tenant import TenantDep

router = Router(prefix="/api/v1", tags=["supplement"])

Asking = Annotated[OfficerToken, Depends(officer("desk", "specialist", "supervisor"))]
Issuing = Annotated[OfficerToken, Depends(officer("desk", "supervisor"))]
Approving = Annotated[OfficerToken, Depends(officer("division_head", "leader"))]
Inspector = Annotated[OfficerToken, Depends(officer("inspector"))]
ComponentCode = Annotated[str, Field(max_length=60, pattern=r"^[^\x00]+$")]
Text = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]


class Body(BaseModel):
    """A request body; a misspelt member is refused rather than ignored."""

    model_config = ConfigDict(extra="forbid")


class ItemBody(Body):
    """One component that has to be put right. Keep personal data out of the texts: they are public."""

    component_code: ComponentCode
    problem: Text
    """What is wrong, in Vietnamese."""
    guidance: Text = ""
    """How to put it right, in Vietnamese."""
    on_paper: bool = False
    """Whether it has to be handed in on paper; refused for a component with a valid signature."""


class OriginalBody(Body):
    component_code: ComponentCode
    why: Text
    """Why the law needs the original."""


class StillWrongBody(Body):
    component_code: ComponentCode
    what: Text
    """What of the guidance was not done."""


class FaultBody(Body):
    """From the second request on: what the applicant left undone."""

    statement: Text
    components: list[StillWrongBody] = Field(default_factory=list, max_length=100)


class NewRequest(Body):
    """What the applicant has to put right: components, each with what is wrong. Free text alone is refused."""

    items: list[ItemBody] = Field(max_length=100)
    needs_original: list[OriginalBody] = Field(default_factory=list, max_length=100)
    citizen_fault: FaultBody | None = None
    override: bool = False
    """The supervisor issues it though the rule does not bear it; recorded as a violation."""
    override_reason: Text | None = None

    def ask(self) -> Ask:
        return store.ASK.validate_python(
            {
                "items": [item.model_dump() for item in self.items],
                "originals": [original.model_dump() for original in self.needs_original],
                "fault": self.citizen_fault.model_dump() if self.citizen_fault else None,
            }
        )


class Issuance(Body):
    """How the desk issues a specialist's draft."""

    override: bool = False
    override_reason: Text | None = None


class Drafted(BaseModel):
    """A request, and where the dossier is."""

    request_id: UUID
    state: RequestState
    round: int | None
    violations: list[Why]
    dossier: Moved


class RequestView(BaseModel):
    """One request for a supplement."""

    id: UUID
    state: RequestState
    stage: Stage
    round: int | None
    items: list[ItemBody]
    needs_original: list[OriginalBody]
    citizen_fault: FaultBody | None
    issued_at: datetime | None
    issued_unit: str | None
    due_at: datetime | None
    answered_at: datetime | None
    violations: list[Why] = Field(default_factory=list)
    """For officers: why it breaks the rule."""
    mau02_ref: str | None
    notes: dict[str, str] = Field(default_factory=dict)
    """What the applicant has answered so far, by component."""
    answers: dict[str, Any] = Field(default_factory=dict)
    """Questions of the e-form that they answer anew."""


PLAIN = ("id", "state", "stage", "round", "issued_at", "issued_unit", "due_at", "answered_at", "mau02_ref")
"""What the view says just as the request does."""


class Requests(BaseModel):
    items: list[RequestView]


class ReplyBody(Body):
    """What the applicant prepares; merged by name, null takes one away. Files are sent as uploads of the dossier."""

    notes: dict[ComponentCode, Text | None] = Field(default_factory=dict, max_length=100)
    answers: dict[str, Any] = Field(default_factory=dict, max_length=300)


class ViolationView(BaseModel):
    """A request that broke the once-only rule, or came too late."""

    id: int
    dossier_code: str
    round: int
    why: list[Why]
    texts: list[str]
    """The same in Vietnamese."""
    officer_ref: UUID
    """Who found fault: the desk officer or the specialist."""
    unit: str
    issued_by: UUID
    override_reason: str | None
    at: datetime


class Violations(BaseModel):
    items: list[ViolationView]


# ── asking ────────────────────────────────────────────────────────────────────────────────────────────────────


@router.post("/dossiers/{code}/supplement-requests", status_code=201)
async def request_supplement(
    code: Code, body: NewRequest, who: Asking, tx: Tx, tenant: TenantDep, if_match: IfMatch, response: Response
) -> Drafted:
    """The desk asks the applicant to put components right; a specialist's request is a draft that the desk issues."""
    dossier = await dossiers.lock(tx, code)
    expect(dossier, if_match)
    case = await _case(tx, dossier)
    ask, by = body.ask(), actor(who)
    check_words(dossier.facts, *ask.texts)
    domain.check(ask, case, await issuing.signed_components(tx, code))
    if ("specialist" in who.roles and dossier.state in domain.WORKED_ON) or not who.roles & {"desk", "supervisor"}:
        request = domain.draft(dossier, by, now(), ids.new(), ask)
        await store.demand_no_draft(tx, code)
        await store.save(tx, request)
        return _drafted(dossier, request, response)
    request = domain.of_the_desk(dossier, _at_the_counter(who), now(), ids.new(), ask)
    return await _issue(tx, dossier, request, who, body, tenant, response)


def _at_the_counter(who: OfficerToken) -> Actor:
    """Whoever answers for the desk may do what the desk does."""
    by = actor(who)
    return replace(by, roles=by.roles | {"desk"}) if domain.SUPERVISOR in by.roles else by


async def _issue(
    tx: Connection, dossier: Dossier, request: Request, who: OfficerToken, how: NewRequest | Issuance,
    tenant: TenantDep, response: Response,
) -> Drafted:  # fmt: skip
    order = issuing.Order(request, _at_the_counter(who), who.name, now(), how.override, how.override_reason)
    asked, issued = await issuing.issue(tx, dossier, order, tenant)
    return _drafted(asked, issued, response)


def _drafted(dossier: Dossier, request: Request, response: Response) -> Drafted:
    return Drafted(
        request_id=request.id, state=request.state, round=request.round, violations=list(request.violations),
        dossier=moved(dossier, response),
    )  # fmt: skip


async def _case(tx: Connection | Database, dossier: Dossier) -> Case:
    return (await _procedure(tx, dossier)).case(dossier.facts.case)


async def _procedure(tx: Connection | Database, dossier: Dossier) -> Procedure:
    return (await catalogue.version(tx, dossier.facts.procedure_id))[0]


@router.post("/dossiers/{code}/supplement-requests/{request_id}/approval")
async def approve_request(
    code: Code, request_id: UUID, who: Approving, tx: Tx, tenant: TenantDep, response: Response
) -> Drafted:
    """Where the province has somebody look at a specialist's request first, they agree here."""
    dossier = await dossiers.lock(tx, code)
    hop = (await acts.rules_of(tx, dossier, tenant, now())).policy.supplement_approval
    approved = domain.approve(await store.one(tx, code, request_id), actor(who), hop)
    issuing.demand_unit(dossier, actor(who))
    await store.save(tx, approved)
    return _drafted(dossier, approved, response)


@router.post("/dossiers/{code}/supplement-requests/{request_id}/issuance")
async def issue_request(
    code: Code, request_id: UUID, who: Issuing, tx: Tx, tenant: TenantDep, if_match: IfMatch, response: Response,
    body: Issuance | None = None,
) -> Drafted:  # fmt: skip
    """The desk issues a specialist's request: nobody else turns to the applicant."""
    dossier = await dossiers.lock(tx, code)
    expect(dossier, if_match)
    request = await store.one(tx, code, request_id)
    if request.state is RequestState.OPEN and request.issued_by == who.ref:
        return _drafted(dossier, request, response)
    return await _issue(tx, dossier, request, who, body or Issuance(), tenant, response)


@router.delete("/dossiers/{code}/supplement-requests/{request_id}", status_code=204)
async def discard_request(code: Code, request_id: UUID, who: Asking, tx: Tx) -> None:
    """A draft is taken back, by the specialist or by the desk that does not issue it."""
    dossier = await dossiers.lock(tx, code)
    issuing.demand_unit(dossier, actor(who))
    await store.save(tx, domain.discard(await store.one(tx, code, request_id)))


@router.get("/dossiers/{code}/supplement-requests")
async def list_requests(code: Code, caller: Caller, db: Db) -> Requests:
    """Every request about the dossier; drafts and violations are the officers' alone."""
    await readable(db, code, caller)
    found = await store.of_dossier(db, code)
    if isinstance(caller, CitizenToken):
        return Requests(items=[_own(request) for request in found if request.round])
    return Requests(items=[_view(request) for request in found])


def _own(request: Request) -> RequestView:
    return _view(request).model_copy(update={"violations": []})


def _view(request: Request) -> RequestView:
    ask = store.ASK.dump_python(request.ask)
    return RequestView(
        items=ask["items"], needs_original=ask["originals"], citizen_fault=ask["fault"],
        notes=dict(request.reply.notes), answers=dict(request.reply.answers), violations=list(request.violations),
        **{name: getattr(request, name) for name in PLAIN},
    )  # fmt: skip


# ── answering ─────────────────────────────────────────────────────────────────────────────────────────────────


@router.get("/dossiers/{code}/supplement")
async def get_supplement(code: Code, citizen: Citizen, db: Db) -> RequestView:
    """What the applicant is asked for now, and what they have prepared; their files are at `…/uploads`."""
    await readable(db, code, citizen)
    return _own(await store.open_of(db, code))


@router.patch("/dossiers/{code}/supplement")
async def prepare_supplement(code: Code, body: ReplyBody, citizen: Citizen, tx: Tx) -> RequestView:
    """Saves answers as often as wished; nothing of it counts before the supplement is sent."""
    await _own_dossier(tx, code, citizen)
    request = await store.open_of(tx, code)
    request = domain.prepare(request, body.notes, body.answers)
    await store.save(tx, request)
    return _own(request)


async def _own_dossier(tx: Connection, code: str, citizen: CitizenToken) -> Dossier:
    """The dossier, locked, for its owner or whoever sent it."""
    dossier = await dossiers.lock(tx, code)
    if citizen.ref not in (dossier.facts.owner_ref, dossier.facts.submitter_ref):
        raise NotFound("Không có hồ sơ với mã này")
    return dossier


@router.post("/dossiers/{code}/supplement")
async def send_supplement(
    code: Code, citizen: Citizen, db: Db, later: Later, files: FilesDep, tenant: TenantDep, if_match: IfMatch,
    response: Response,
) -> Moved:  # fmt: skip
    """“Gửi bổ sung”: every listed component is changed or answered, and all of it goes in at once.

    Sending again what was sent just now answers with the dossier as it is.
    """
    dossier = await readable(db, code, citizen)
    expect(dossier, if_match)
    request = await store.open_of(db, code)
    sent = await _checked(db, dossier, request, files)
    return moved(await _send(await later.begin(), dossier, request, sent, citizen, tenant), response)


async def _checked(db: Database, dossier: Dossier, request: Request, files: Files) -> list[Upload]:
    """The files that go in; SupplementIncomplete says everything that is missing or wrong."""
    procedure = await _procedure(db, dossier)
    case = procedure.case(dossier.facts.case)
    part_of_it = {file.id for file in await uploads.every_file_of(db, dossier.code)}
    waiting = [
        upload
        for upload in await uploads.uploads_of(db, dossier_code=dossier.code)
        if upload.id not in part_of_it and upload.component_code in request.ask.codes
    ]
    examined = await examination.examine(attachments.chosen(case, waiting), db, files)
    faults = attachments.faults(case, examined)
    faults += domain.unanswered(request, case, {upload.component_code for upload in examined}, dossier.facts.answers)
    form = procedure.eform_of(case)
    if form and request.reply.answers:
        faults += answers.check(form, {**dossier.facts.answers, **request.reply.answers})
    if faults:
        raise SupplementIncomplete(faults)
    return examined


async def _send(
    tx: Connection, seen: Dossier, was: Request, sent: list[Upload], citizen: CitizenToken, tenant: TenantDep
) -> Dossier:
    """The one transaction; whatever changed since the check makes the sender look again."""
    dossier = await _own_dossier(tx, seen.code, citizen)
    expect(dossier, seen.version)
    request = await store.open_of(tx, seen.code)
    if request != was:
        raise domain.SupplementChanged
    taken = attachments.taken(sent)
    by, moment = Actor(citizen.ref, frozenset({"owner"})), now()
    answered, request, event = domain.answer(dossier, request, by, moment, attachments.components_of(taken))
    await store.save(tx, request)
    await store.change_answers(tx, request, dossier, answered)
    await uploads.add_files(tx, dossier.code, answered.version, taken)
    await dossiers.save(tx, answered, event)
    await acts.start_reception(tx, answered, tenant, moment)
    return answered


@router.post("/dossiers/{code}/supplement-confirmation")
async def confirm_supplement(
    code: Code, who: Desk, tx: Tx, tenant: TenantDep, if_match: IfMatch, response: Response
) -> Moved:
    """The desk finds a dossier complete that was supplemented while it was processed: a new appointment is made.

    A supplement that came before acceptance is accepted at `…/acceptance`.
    """
    dossier = await dossiers.lock(tx, code)
    expect(dossier, if_match)
    return moved(await issuing.confirm(tx, dossier, actor(who), who.name, now(), tenant), response)


# ── oversight ─────────────────────────────────────────────────────────────────────────────────────────────────


@router.get("/violations")
async def list_violations(
    who: Inspector,
    db: Db,
    unit: Annotated[str | None, Query(pattern="^[A-Z0-9.]{1,35}$")] = None,
    before: Annotated[int | None, Query(ge=1)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Violations:
    """Requests that broke the supplement rule, the newest first; `before` is the last id of the page before."""
    rows = await store.violations(db, unit, before, limit)
    return Violations(
        items=[ViolationView(**row, texts=[domain.LEGAL[Why(why)] for why in row["why"]]) for row in rows]
    )

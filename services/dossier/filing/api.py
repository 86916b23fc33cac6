"""Drafts, for the citizen whose they are, and for the desk officer who fills one in for somebody."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from contracts.dossier import DeliveryMethod, OwnerType
from kit import ids
from kit.auth import Caller, CitizenToken, OfficerToken
from kit.clock import now
from kit.db import Connection, Database
from kit.http import Db, IfMatch, Router, Tx, etag
from kit.problems import Forbidden, NotFound, VersionConflict
from services.dossier.attachments import domain as attachments
from services.dossier.attachments import store as files_store
from services.dossier.attachments.api import UploadView, view
from services.dossier.attachments.domain import Upload
from services.dossier.catalogue import store as catalogue
from services.dossier.catalogue.domain import Case, Procedure
from services.dossier.filing import domain, store
from services.dossier.filing.domain import Draft
from services.dossier.filing.store import Link
from services.dossier.parties import store as parties
from services.dossier.parties.domain import Person
from services.dossier.processing.domain import NotYourUnit
from services.dossier.tenant import Tenant, TenantDep

router = Router(prefix="/api/v1/drafts", tags=["filing"])

Answers = Annotated[dict[str, Any], Field(max_length=300)]
Text = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Body(BaseModel):
    """A request body; a misspelt member is refused rather than ignored."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


class NewDraft(Body):
    procedure_code: str = Field(pattern="^[A-Za-z0-9.]{1,40}$")
    receiving_unit: str = Field(pattern="^[A-Z0-9.]{1,35}$")
    case: str | None = Field(default=None, max_length=60)


class AddressDetails(Body):
    """Where somebody lives or gets post; old addresses keep their old codes."""

    province_code: str | None = Field(default=None, pattern=r"^\d{2}$")
    commune_code: str | None = Field(default=None, pattern=r"^\d{5}$")
    street: Text | None = None
    text: Text | None = None
    """As it is printed, when there are no codes."""


class PersonDetails(Body):
    """A person or body. Private data of the dossier: no event carries it."""

    type: OwnerType = OwnerType.CITIZEN
    name: Text | None = None
    identity_number: Text | None = None
    """Number of a citizen's identity (12 digits), passport, or tax code of a body."""
    birth_date: date | None = None
    phone: Text | None = None
    email: Text | None = None
    address: AddressDetails = AddressDetails()


class MailingDetails(Body):
    """Who sends or gets something by post."""

    name: Text | None = None
    phone: Text | None = None
    address: AddressDetails = AddressDetails()


class ReachDetails(Body):
    """How result, originals and messages find their way."""

    desk_unit: str | None = Field(default=None, pattern="^[A-Z0-9.]{1,35}$")
    """Agency id of the unit where the result is collected; the receiving unit without it."""
    receiver: MailingDetails = MailingDetails()
    """Where the result goes by post."""
    originals_by_post: bool = False
    """Paper originals follow by public post; independent of how the result comes."""
    sender: MailingDetails = MailingDetails()
    """Where the post collects the originals."""
    sms_number: Text | None = None
    """For text messages; the account's number without it."""


class DraftChange(Body):
    """What was filled in meanwhile. Answers are merged by name, null takes one away; other members replace what was
    there, and null says nothing. Naming the unit confirms it ("Đồng ý và tiếp tục")."""

    answers: Answers | None = None
    case: str | None = Field(default=None, max_length=60)
    receiving_unit: str | None = Field(default=None, pattern="^[A-Z0-9.]{1,35}$")
    on_behalf: bool | None = None
    """Whether somebody else than the owner submits it, with an authorisation (nộp thay theo ủy quyền)."""
    submitter: PersonDetails | None = None
    """Người nộp hồ sơ."""
    owner: PersonDetails | None = None
    """Chủ hồ sơ, where that is somebody else than the submitter."""
    delivery: DeliveryMethod | None = None
    reach: ReachDetails | None = None
    sms_opt_in: bool | None = None


class LinkView(Body):
    """A file that is there already: a document of the store, or a file of the dossier that was copied."""

    id: UUID
    component_code: str
    document_id: UUID | None
    file_name: str
    content_type: str
    size: int
    pages: int


class DraftView(BaseModel):
    """A draft as its keeper sees it."""

    id: UUID
    version: int
    procedure_code: str
    procedure_version: int
    procedure_name: str
    case: str
    receiving_unit: str
    unit_confirmed: bool
    answers: dict[str, Any]
    asked: list[str]
    """The questions of the e-form that these answers lead to, in order; an answer to another is refused at sending."""
    on_behalf: bool
    submitter: PersonDetails
    owner: PersonDetails
    delivery: DeliveryMethod | None
    reach: ReachDetails
    sms_opt_in: bool
    dossier_code: str | None
    copied_from: str | None
    updated_at: datetime
    uploads: list[UploadView]
    links: list[LinkView]


class DraftSummary(BaseModel):
    id: UUID
    version: int
    procedure_code: str
    procedure_name: str
    receiving_unit: str
    updated_at: datetime


class Drafts(BaseModel):
    items: list[DraftSummary]


# ── who keeps drafts ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Keeper:
    """A citizen, or a desk officer who fills in for somebody."""

    ref: UUID
    name: str
    unit: str | None
    proved_at: datetime | None = None
    """When the citizen last proved who they are."""


async def _keeper(caller: Caller) -> Keeper:
    if isinstance(caller, CitizenToken):
        return Keeper(caller.ref, caller.name, None, caller.auth_time)
    if isinstance(caller, OfficerToken) and "desk" in caller.roles:
        return Keeper(caller.ref, caller.name, caller.unit)
    raise Forbidden


KeeperDep = Annotated[Keeper, Depends(_keeper)]


# ── drafts ────────────────────────────────────────────────────────────────────────────────────────────────────


@router.post("", status_code=201)
async def start_draft(body: NewDraft, who: KeeperDep, tx: Tx, tenant: TenantDep, response: Response) -> DraftView:
    """A new draft of the procedure's current version, to be sent to that unit (D1). An officer fills in for somebody,
    at their own desk only."""
    found = await catalogue.current(tx, body.procedure_code)
    if found is None:
        raise NotFound("Không có thủ tục với mã này")
    procedure_id, procedure = found
    domain.may_be_filed(procedure, tenant.calendar.local_date(now()))
    case = case_of(procedure, body.case)
    _open(procedure, case, body.receiving_unit, who, tenant)
    draft = Draft(
        id=ids.new(), keeper_ref=who.ref, keeper_unit=who.unit, procedure_id=procedure_id, case=case.code,
        receiving_unit=body.receiving_unit, answers={}, delivery=None, sms_opt_in=False, version=1,
        dossier_code=None, updated_at=now(), submitter=Person(name=None if who.unit else who.name),
    )  # fmt: skip
    await store.create(tx, draft)
    etag(response, draft.version)
    return _view(draft, procedure, [], [])


def case_of(procedure: Procedure, code: str | None) -> Case:
    """The case with that code, the usual one without a code."""
    try:
        return procedure.case(code)
    except KeyError:
        raise NotFound("Thủ tục không có trường hợp này") from None


def _open(procedure: Procedure, case: Case, unit: str, who: Keeper, tenant: Tenant) -> None:
    """Whether this keeper may file the case at that unit."""
    if who.unit not in (None, unit):
        raise NotYourUnit
    takes = unit in tenant.receiving_units and procedure.is_offered_at(unit)
    if not takes or (case.online_disabled and who.unit is None):
        raise domain.NotOpenOnline


@router.get("")
async def list_drafts(who: KeeperDep, db: Db) -> Drafts:
    """Hồ sơ chưa gửi, newest first."""
    drafts = await store.unsent(db, who.ref)
    procedures = {draft.procedure_id: (await catalogue.version(db, draft.procedure_id))[0] for draft in drafts}
    return Drafts(items=[_summary(draft, procedures[draft.procedure_id]) for draft in drafts])


@router.get("/{draft_id}")
async def get_draft(draft_id: UUID, who: KeeperDep, db: Db, response: Response) -> DraftView:
    return await show(db, await store.read(db, draft_id, who.ref), response)


@router.patch("/{draft_id}")
async def save_draft(
    draft_id: UUID,
    body: DraftChange,
    who: KeeperDep,
    tx: Tx,
    tenant: TenantDep,
    if_match: IfMatch,
    response: Response,
) -> DraftView:
    """Lưu hồ sơ: keeps what was filled in, however incomplete (D2)."""
    draft = await locked(tx, draft_id, who, if_match)
    procedure, _ = await catalogue.version(tx, draft.procedure_id)
    case = case_of(procedure, body.case or draft.case)
    _open(procedure, case, body.receiving_unit or draft.receiving_unit, who, tenant)
    draft = domain.change(draft, now(), **_given(body, who))
    await store.save(tx, draft)
    return await show(tx, draft, response)


def _given(body: DraftChange, who: Keeper) -> dict[str, Any]:
    """The change in the words of the rules. A citizen's own name is the one that identity vouched for."""
    given = {name: getattr(body, name) for name in DraftChange.model_fields}
    for name, kind in (("submitter", parties.PERSON), ("owner", parties.PERSON), ("reach", parties.REACH)):
        if given[name] is not None:
            given[name] = kind.validate_python(given[name].model_dump())
    if given["submitter"] and who.unit is None:
        given["submitter"] = replace(given["submitter"], name=who.name)
    return given


@router.delete("/{draft_id}", status_code=204)
async def delete_draft(draft_id: UUID, who: KeeperDep, tx: Tx) -> None:
    draft = await locked(tx, draft_id, who, None)
    domain.change(draft, now())
    await store.delete(tx, draft_id)


async def locked(tx: Connection, draft_id: UUID, who: Keeper, if_match: int | None) -> Draft:
    """The keeper's draft, held until the transaction ends, if it is as the caller saw it."""
    draft = await store.lock(tx, draft_id, who.ref)
    if if_match not in (None, draft.version):
        raise VersionConflict(version=draft.version)
    return draft


async def show(db: Database | Connection, draft: Draft, response: Response) -> DraftView:
    """The draft with its files."""
    procedure, _ = await catalogue.version(db, draft.procedure_id)
    etag(response, draft.version)
    return _view(draft, procedure, await files_store.uploads_of(db, draft.id), await store.links_of(db, draft.id))


def _view(draft: Draft, procedure: Procedure, uploads: Sequence[Upload], links: Sequence[Link]) -> DraftView:
    same = DraftView.model_fields.keys() & Draft.__dataclass_fields__.keys() - {"submitter", "owner", "reach"}
    return DraftView(
        **{name: getattr(draft, name) for name in same},
        procedure_code=procedure.code,
        procedure_version=procedure.version,
        procedure_name=procedure.name,
        asked=_asked(draft, procedure),
        submitter=PersonDetails.model_validate(draft.submitter),
        owner=PersonDetails.model_validate(draft.owner),
        reach=ReachDetails.model_validate(draft.reach),
        uploads=[view(upload) for upload in attachments.chosen(procedure.case(draft.case), uploads)],
        links=[LinkView.model_validate(link) for link in links],
    )


def _asked(draft: Draft, procedure: Procedure) -> list[str]:
    form = procedure.eform_of(procedure.case(draft.case))
    if form is None:
        return []
    channel = "desk" if draft.keeper_unit else "online"
    asked = form.visible({**draft.circumstances, "submitted_on": catalogue.today(), "channel": channel})
    return [field.name for field in form.fields if field.name in asked]


def _summary(draft: Draft, procedure: Procedure) -> DraftSummary:
    return DraftSummary(
        id=draft.id,
        version=draft.version,
        procedure_code=procedure.code,
        procedure_name=procedure.name,
        receiving_unit=draft.receiving_unit,
        updated_at=draft.updated_at,
    )

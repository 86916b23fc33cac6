"""Drafts and sending, for the citizen whose they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field

from contracts.dossier import DeliveryMethod, DossierSubmitted
from kit import ids
from kit.auth import Citizen
from kit.clock import now
from kit.db import Connection, Database
from kit.files import Files, FilesDep
from kit.http import Db, IfMatch, Later, Router, Tx, etag
from kit.problems import NotFound, VersionConflict
from services.dossier.attachments import domain as attachments
from services.dossier.attachments import examination
from services.dossier.attachments import store as files_store
from services.dossier.attachments.api import UploadView, view
from services.dossier.attachments.domain import ComponentFile, Upload
from services.dossier.catalogue import store as catalogue
from services.dossier.catalogue.domain import Case, Procedure
from services.dossier.clocks.acts import start_reception
from services.dossier.filing import answers, domain, store
from services.dossier.filing.domain import Applicant, Draft, DraftIncomplete
from services.dossier.processing import store as dossiers
from services.dossier.processing.domain import Dossier
from services.dossier.tenant import Tenant, TenantDep

router = Router(prefix="/api/v1/drafts", tags=["filing"])

Answers = Annotated[dict[str, Any], Field(max_length=300)]


class Body(BaseModel):
    """A request body; a misspelt member is refused rather than ignored."""

    model_config = ConfigDict(extra="forbid")


class NewDraft(Body):
    procedure_code: str = Field(pattern="^[A-Za-z0-9.]{1,40}$")
    receiving_unit: str = Field(pattern="^[A-Z0-9.]{1,35}$")
    case: str | None = Field(default=None, max_length=60)


class DraftChange(Body):
    """What was filled in meanwhile. Answers are merged by name; null takes one away."""

    answers: Answers | None = None
    delivery: DeliveryMethod | None = None
    sms_opt_in: bool | None = None


class DraftView(BaseModel):
    """A draft as its owner sees it."""

    id: UUID
    version: int
    procedure_code: str
    procedure_name: str
    case: str
    receiving_unit: str
    answers: dict[str, Any]
    delivery: DeliveryMethod | None
    sms_opt_in: bool
    dossier_code: str | None
    updated_at: datetime
    uploads: list[UploadView]


class DraftSummary(BaseModel):
    id: UUID
    version: int
    procedure_code: str
    procedure_name: str
    receiving_unit: str
    updated_at: datetime


class Drafts(BaseModel):
    items: list[DraftSummary]


class Sent(BaseModel):
    code: str
    version: int
    status: str


# ── drafts ────────────────────────────────────────────────────────────────────────────────────────────────────


@router.post("", status_code=201)
async def start_draft(body: NewDraft, citizen: Citizen, tx: Tx, tenant: TenantDep, response: Response) -> DraftView:
    """A new draft of the procedure's current version, to be sent to that unit."""
    found = await catalogue.current(tx, body.procedure_code)
    if found is None:
        raise NotFound("Không có thủ tục với mã này")
    procedure_id, procedure = found
    if procedure.retired:
        raise domain.ProcedureReplaced(replaced_by=[*procedure.replaced_by])
    case = _case(procedure, body.case)
    takes = body.receiving_unit in tenant.receiving_units and procedure.is_offered_at(body.receiving_unit)
    if case.online_disabled or not takes:
        raise domain.NotOpenOnline
    draft = Draft(
        id=ids.new(), owner_ref=citizen.ref, procedure_id=procedure_id, case=case.code,
        receiving_unit=body.receiving_unit, answers={}, delivery=None, sms_opt_in=False, version=1,
        dossier_code=None, updated_at=now(),
    )  # fmt: skip
    await store.create(tx, draft)
    etag(response, draft.version)
    return _view(draft, procedure, [])


def _case(procedure: Procedure, code: str | None) -> Case:
    try:
        return procedure.case(code)
    except KeyError:
        raise NotFound("Thủ tục không có trường hợp này") from None


@router.get("")
async def list_drafts(citizen: Citizen, db: Db) -> Drafts:
    """Hồ sơ chưa gửi, newest first."""
    drafts = await store.unsent(db, citizen.ref)
    procedures = {draft.procedure_id: (await catalogue.version(db, draft.procedure_id))[0] for draft in drafts}
    return Drafts(items=[_summary(draft, procedures[draft.procedure_id]) for draft in drafts])


@router.get("/{draft_id}")
async def get_draft(draft_id: UUID, citizen: Citizen, db: Db, response: Response) -> DraftView:
    draft = await store.read(db, draft_id, citizen.ref)
    procedure, _ = await catalogue.version(db, draft.procedure_id)
    etag(response, draft.version)
    return _view(draft, procedure, await files_store.uploads_of(db, draft_id))


@router.patch("/{draft_id}")
async def save_draft(
    draft_id: UUID, body: DraftChange, citizen: Citizen, tx: Tx, if_match: IfMatch, response: Response
) -> DraftView:
    """Lưu hồ sơ: keeps what was filled in, however incomplete."""
    draft = await _locked(tx, draft_id, citizen.ref, if_match)
    draft = domain.change(draft, now(), **body.model_dump())
    await store.save(tx, draft)
    procedure, _ = await catalogue.version(tx, draft.procedure_id)
    etag(response, draft.version)
    return _view(draft, procedure, await files_store.uploads_of(tx, draft_id))


@router.delete("/{draft_id}", status_code=204)
async def delete_draft(draft_id: UUID, citizen: Citizen, tx: Tx) -> None:
    draft = await _locked(tx, draft_id, citizen.ref, None)
    domain.change(draft, now())
    await store.delete(tx, draft_id)


async def _locked(tx: Connection, draft_id: UUID, owner: UUID, if_match: int | None) -> Draft:
    draft = await store.lock(tx, draft_id, owner)
    if if_match not in (None, draft.version):
        raise VersionConflict(version=draft.version)
    return draft


def _view(draft: Draft, procedure: Procedure, uploads: Sequence[Upload]) -> DraftView:
    return DraftView(
        id=draft.id,
        version=draft.version,
        procedure_code=procedure.code,
        procedure_name=procedure.name,
        case=draft.case,
        receiving_unit=draft.receiving_unit,
        answers=draft.answers,
        delivery=draft.delivery,
        sms_opt_in=draft.sms_opt_in,
        dossier_code=draft.dossier_code,
        updated_at=draft.updated_at,
        uploads=[view(upload) for upload in attachments.chosen(procedure.case(draft.case), uploads)],
    )


def _summary(draft: Draft, procedure: Procedure) -> DraftSummary:
    return DraftSummary(
        id=draft.id,
        version=draft.version,
        procedure_code=procedure.code,
        procedure_name=procedure.name,
        receiving_unit=draft.receiving_unit,
        updated_at=draft.updated_at,
    )


# ── sending ───────────────────────────────────────────────────────────────────────────────────────────────────


@router.post("/{draft_id}/submission", status_code=201)
async def submit_draft(
    draft_id: UUID, citizen: Citizen, db: Db, later: Later, files: FilesDep, tenant: TenantDep, response: Response
) -> Sent:
    """Gửi hồ sơ: everything is checked, the code is given. Sending again answers with the same code."""
    draft = await store.read(db, draft_id, citizen.ref)
    if draft.dossier_code is None:
        procedure = await _current(db, draft)
        uploads = attachments.chosen(procedure.case(draft.case), await files_store.uploads_of(db, draft_id))
        checked = await _checked(draft, procedure, uploads, db, files)
        filing = Filing(draft, procedure, checked, Applicant(citizen.ref, citizen.name), now())
        code = await _new_code(db, filing, tenant)
        dossier = await _send(await later.begin(), filing, code, tenant)
    else:
        dossier = await dossiers.read(db, draft.dossier_code)
    etag(response, dossier.version)
    return Sent(code=dossier.code, version=dossier.version, status=dossier.state)


async def _current(db: Database, draft: Draft) -> Procedure:
    procedure, is_current = await catalogue.version(db, draft.procedure_id)
    if not is_current:
        newer = await catalogue.current(db, procedure.code)
        codes = newer[1].replaced_by or (procedure.code,) if newer else procedure.replaced_by
        raise domain.ProcedureReplaced(replaced_by=list(codes))
    return procedure


async def _checked(
    draft: Draft, procedure: Procedure, uploads: Sequence[Upload], db: Database, files: Files
) -> list[ComponentFile]:
    """The files, examined and kept where they never change; DraftIncomplete says everything that is wrong."""
    case = procedure.case(draft.case)
    form = procedure.eform_of(case)
    faults = [*(answers.check(form, draft.answers) if form else ()), *domain.delivery_faults(procedure, draft)]
    faults += domain.missing(case, draft.answers, uploads)
    examined = await examination.examine(uploads, db, files)
    faults += attachments.faults(case, examined)
    if faults:
        raise DraftIncomplete(faults)
    return attachments.taken(examined)


@dataclass(frozen=True, slots=True)
class Filing:
    """A draft that was checked and is about to become a dossier."""

    draft: Draft
    procedure: Procedure
    files: Sequence[ComponentFile]
    applicant: Applicant
    moment: datetime


async def _new_code(db: Database, filing: Filing, tenant: Tenant) -> str:
    """A code nobody else has. It is taken before the transaction, so that those of one unit do not queue for the
    number; should the transaction fail, the number is never used (gaps are allowed, using one twice is not)."""
    unit, day = filing.draft.receiving_unit, tenant.calendar.local_date(filing.moment)
    return domain.code_for(tenant.code_template, unit, day, await store.next_number(db, unit, day))


async def _send(tx: Connection, filing: Filing, code: str, tenant: Tenant) -> Dossier:
    """The one transaction that makes the dossier; the second of two that race finds it made."""
    draft = await store.lock(tx, filing.draft.id, filing.draft.owner_ref)
    if draft.dossier_code:
        return await dossiers.read(tx, draft.dossier_code)
    if draft.version != filing.draft.version:
        raise VersionConflict("Hồ sơ vừa được sửa ở nơi khác, xin xem lại rồi gửi", version=draft.version)
    dossier, event = domain.submit(draft, filing.applicant, filing.procedure, code, filing.files, filing.moment)
    await dossiers.create(tx, dossier, event)
    await files_store.add_files(tx, code, dossier.version, filing.files)
    await store.mark_sent(tx, draft.id, code, filing.moment)
    if isinstance(event, DossierSubmitted):
        await start_reception(tx, dossier, tenant)
    return dossier

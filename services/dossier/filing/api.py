"""Drafts, uploads, and sending, for the citizen whose they are."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Response
from pydantic import BaseModel, ConfigDict, Field

from contracts.dossier import ComponentSource, DeliveryMethod, DossierSubmitted
from kit import ids
from kit.auth import Citizen
from kit.clock import now
from kit.db import Connection, Database
from kit.files import Files, FilesDep
from kit.http import Db, IfMatch, Later, Router, Tx, etag
from kit.problems import NotFound, VersionConflict
from services.dossier.catalogue import store as catalogue
from services.dossier.catalogue.domain import Case, Component, Procedure
from services.dossier.filing import answers, domain, store
from services.dossier.filing.domain import Applicant, Draft, DraftIncomplete, Fault, Upload
from services.dossier.filing.inspection import Unfit, inspect
from services.dossier.processing import store as dossiers
from services.dossier.processing.domain import ComponentFile, Dossier
from services.dossier.tenant import Tenant, TenantDep
from services.dossier.timers import start_reception

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


class UploadView(BaseModel):
    id: UUID
    component_code: str
    file_name: str
    content_type: str
    size: int


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


class NewUpload(Body):
    """What the browser is about to send."""

    file_name: str = Field(max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")
    content_type: str = Field(max_length=100)
    size: int = Field(ge=1)
    """Bytes."""
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Of the file's bytes, lower-case hex."""


class UploadTicket(BaseModel):
    """Where to POST the file: multipart/form-data with these fields, then the file as `file`."""

    upload_id: UUID
    url: str
    fields: dict[str, str]
    expires_at: datetime


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
    case = _case(procedure, body.case)
    if case.online_disabled or body.receiving_unit not in tenant.receiving_units:
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
    return _view(draft, procedure, await store.uploads_of(db, draft_id))


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
    return _view(draft, procedure, await store.uploads_of(tx, draft_id))


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
        uploads=[
            UploadView.model_validate(upload, from_attributes=True)
            for upload in domain.chosen(procedure.case(draft.case), uploads)
        ],
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


# ── uploads ───────────────────────────────────────────────────────────────────────────────────────────────────


@router.post("/{draft_id}/components/{component_code}/uploads", status_code=201)
async def start_upload(
    draft_id: UUID,
    component_code: Annotated[str, Path(max_length=60)],
    body: NewUpload,
    citizen: Citizen,
    tx: Tx,
    files: FilesDep,
) -> UploadTicket:
    """Leave to send one file straight to the object store. A newer file of a component pushes the oldest out."""
    draft = domain.change(await store.lock(tx, draft_id, citizen.ref), now())
    procedure, _ = await catalogue.version(tx, draft.procedure_id)
    component = procedure.case(draft.case).component(component_code)
    if component is None:
        raise NotFound("Thủ tục không có thành phần này")
    domain.declared(component, body.file_name, body.content_type, body.size)
    upload = Upload(
        id=ids.new(), draft_id=draft.id, component_code=component.code, created_at=now(), **body.model_dump()
    )
    ticket = files.presign_upload(  # signing is computed here, no network
        upload.quarantine_key, content_type=upload.content_type, max_size=upload.size, sha256_hex=upload.sha256
    )
    await store.save(tx, draft)
    await store.add_upload(tx, upload)
    return UploadTicket(upload_id=upload.id, url=ticket.url, fields=ticket.fields, expires_at=ticket.expires_at)


@router.delete("/{draft_id}/uploads/{upload_id}", status_code=204)
async def drop_upload(draft_id: UUID, upload_id: UUID, citizen: Citizen, tx: Tx) -> None:
    draft = domain.change(await store.lock(tx, draft_id, citizen.ref), now())
    await store.save(tx, draft)
    await store.drop_upload(tx, upload_id, draft_id)


# ── sending ───────────────────────────────────────────────────────────────────────────────────────────────────


@router.post("/{draft_id}/submission", status_code=201)
async def submit_draft(
    draft_id: UUID, citizen: Citizen, db: Db, later: Later, files: FilesDep, tenant: TenantDep, response: Response
) -> Sent:
    """Gửi hồ sơ: everything is checked, the code is given. Sending again answers with the same code."""
    draft = await store.read(db, draft_id, citizen.ref)
    if draft.dossier_code is None:
        procedure = await _current(db, draft)
        uploads = domain.chosen(procedure.case(draft.case), await store.uploads_of(db, draft_id))
        checked = await _checked(draft, procedure, uploads, files)
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


async def _checked(draft: Draft, procedure: Procedure, uploads: Sequence[Upload], files: Files) -> list[ComponentFile]:
    """The files, checked and copied to where they never change; DraftIncomplete says everything that is wrong."""
    case = procedure.case(draft.case)
    form = procedure.eform_of(case)
    faults = [*(answers.check(form, draft.answers) if form else ()), *domain.delivery_faults(procedure, draft)]
    faults += domain.missing(case, draft.answers, uploads)
    found = [await _inspected(upload, case.component(upload.component_code), files) for upload in uploads]
    faults += [each for each in found if isinstance(each, Fault)]
    if faults:
        raise DraftIncomplete(faults)
    return [each for each in found if isinstance(each, ComponentFile)]


async def _inspected(upload: Upload, component: Component | None, files: Files) -> ComponentFile | Fault:
    """What was sent, if it is what was declared and harmless."""
    name = component.name if component else upload.component_code

    def fault(rule: str, message: str) -> Fault:
        return Fault(f"components.{upload.component_code}", rule, f"“{name}”: tệp “{upload.file_name}” {message}")

    stored = await files.stat(upload.quarantine_key)
    if stored is None:
        return fault("never_uploaded", "chưa được tải lên")
    if component and stored.size > component.max_size:
        return fault("too_large", f"vượt quá {component.max_size // 1024**2} MB")
    if stored.size != upload.size:
        return fault("changed", "không còn giống tệp đã chọn, xin tải lại")
    data = await files.read(upload.quarantine_key, limit=upload.size)
    if hashlib.sha256(data).hexdigest() != upload.sha256:
        return fault("changed", "không còn giống tệp đã chọn, xin tải lại")
    try:
        pages = await asyncio.to_thread(inspect, data, upload.content_type)
    except Unfit as unfit:
        return fault(unfit.rule, unfit.message)
    # The bytes that were checked are written, not the object copied: the sender's leave to overwrite it may still run.
    await files.put(upload.clean_key, data, upload.content_type)
    return _component_file(upload, pages)


def _component_file(upload: Upload, pages: int) -> ComponentFile:
    return ComponentFile(
        id=upload.id, component_code=upload.component_code, file_name=upload.file_name,
        content_type=upload.content_type, size=upload.size, sha256=upload.sha256, pages=pages,
        source=ComponentSource.UPLOAD,
    )  # fmt: skip


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
    await dossiers.add_files(tx, dossier, filing.files)
    await store.mark_sent(tx, draft.id, code, filing.moment)
    if isinstance(event, DossierSubmitted):
        await start_reception(tx, dossier, tenant)
    return dossier

"""Files on their way in: leave to send one, the word that it was sent, and taking it back.

The same three calls for a draft and for a dossier:

| who | for what | where |
|---|---|---|
| whoever may change it (`filing.store.lock` decides) | a draft, assisted and paper ones too | `/drafts/{draft_id}/…` |
| the owner or submitter | a dossier, while a supplement is asked for | `/dossiers/{code}/…` |
| a desk officer of the unit that has it | scans and added files of a dossier | `/dossiers/{code}/…` |

How others use it. *Sending a draft* (online or paper): `domain.chosen(case, store.uploads_of(db, draft_id))`, then
`examination.examine(...)`, `domain.faults(case, examined)`; inside the transaction `store.add_files(tx, code, version,
domain.taken(examined))` (a scan of the desk: `taken(examined, ComponentSource.PAPER)`). *Sending a supplement*: the
same with `uploads_of(db, dossier_code=code)`; uploads whose id is already among `store.every_file_of` were sent before.
`store.files_of` are a dossier's files as they are now, `every_file_of` with their older versions.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from contracts.dossier import SignatureStatus
from kit import ids
from kit.auth import Caller, CitizenToken, OfficerToken, Token, officer
from kit.clock import now
from kit.db import Connection, Database
from kit.files import FilesDep
from kit.http import Db, Later, Router, Tx
from kit.problems import Forbidden, NotFound
from services.dossier.attachments import domain, examination, store
from services.dossier.attachments.domain import Upload, Verdict
from services.dossier.catalogue import store as catalogue
from services.dossier.filing import domain as filing
from services.dossier.filing import store as drafts
from services.dossier.processing import api as processing
from services.dossier.processing.api import Code
from services.dossier.processing.domain import SUPPLEMENT_REQUESTED, TERMINAL, Dossier, NotYourUnit
from services.dossier.processing.store import lock as lock_dossier

router = Router(prefix="/api/v1", tags=["attachments"])

Checker = Annotated[OfficerToken, Depends(officer("desk", "specialist"))]
ComponentCode = Annotated[str, Path(max_length=60)]


class NewUpload(BaseModel):
    """What the browser is about to send."""

    model_config = ConfigDict(extra="forbid")

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


class UploadView(BaseModel):
    """An upload and what examining it found."""

    id: UUID
    component_code: str
    file_name: str
    content_type: str
    size: int
    verdict: Verdict
    """`pending` and `infected` keep a dossier from being sent, `refused` too: `rule` says why."""
    rule: str | None = None
    message: str | None = None
    """What is wrong, in Vietnamese; it continues a sentence that begins with the file's name."""
    pages: int | None = None
    signed: SignatureStatus = SignatureStatus.NOT_SIGNED
    """What checking its digital signatures gave."""


class Uploads(BaseModel):
    items: list[UploadView]


class Check(BaseModel):
    """One check of the digital signatures of a file."""

    status: SignatureStatus
    verified_by: domain.VerifiedBy
    verified_at: datetime
    officer_ref: UUID | None
    note: str | None
    report: domain.SignatureReport | None
    """What the machine found of each signature: signer, certificate, chain, revocation, integrity, time stamp."""


class Checks(BaseModel):
    items: list[Check]


class ManualCheck(BaseModel):
    """What the NEAC's tool (https://neac.gov.vn) said about the file's signatures."""

    model_config = ConfigDict(extra="forbid")

    status: SignatureStatus
    note: str = Field(min_length=5, max_length=1000)
    """What was seen, where: part of the record."""


def view(upload: Upload) -> UploadView:
    return UploadView.model_validate(upload, from_attributes=True)


# ── of a draft ────────────────────────────────────────────────────────────────────────────────────────────────


async def _own_draft(draft_id: UUID, caller: Caller, tx: Tx) -> filing.Draft:
    """The draft, locked and with one more change, for whoever may change it."""
    draft = filing.change(await drafts.lock(tx, draft_id, _ref(caller)), now())
    await drafts.save(tx, draft)
    return draft


def _ref(caller: Token) -> UUID:
    if isinstance(caller, CitizenToken | OfficerToken):
        return caller.ref
    raise Forbidden


OwnDraft = Annotated[filing.Draft, Depends(_own_draft)]


@router.post("/drafts/{draft_id}/components/{component_code}/uploads", status_code=201)
async def start_upload(
    draft: OwnDraft, component_code: ComponentCode, body: NewUpload, caller: Caller, tx: Tx, files: FilesDep
) -> UploadTicket:
    """Leave to send one file straight to the object store. A newer file of a component pushes the oldest out."""
    upload = _upload(component_code, body, caller, draft_id=draft.id)
    return await _start(tx, files, upload, draft.procedure_id, draft.case)


@router.delete("/drafts/{draft_id}/uploads/{upload_id}", status_code=204)
async def drop_upload(draft: OwnDraft, upload_id: UUID, tx: Tx) -> None:
    """Take a file out of the draft."""
    await store.drop(tx, upload_id, draft_id=draft.id)


@router.post("/drafts/{draft_id}/uploads/{upload_id}/completion")
async def complete_upload(draft_id: UUID, upload_id: UUID, caller: Caller, db: Db, files: FilesDep) -> UploadView:
    """The file was sent: it is examined now, so that its sender learns at once what is wrong with it.

    A client that never calls this has its files examined when the draft is sent.
    """
    await drafts.read(db, draft_id, _ref(caller))
    return await _complete(await store.upload(db, upload_id, draft_id=draft_id), db, files)


# ── of a dossier ──────────────────────────────────────────────────────────────────────────────────────────────


async def _open_dossier(code: Code, caller: Caller, tx: Tx) -> Dossier:
    """The dossier, locked, for whoever may add files to it now."""
    await processing.readable(tx, code, caller)
    dossier = await lock_dossier(tx, code)
    may_add(dossier, caller)
    return dossier


def may_add(dossier: Dossier, caller: Token) -> None:
    """Refuse whoever may not send files for this dossier now."""
    if isinstance(caller, CitizenToken):
        if dossier.state not in SUPPLEMENT_REQUESTED:
            raise domain.UploadsClosed
    elif not (isinstance(caller, OfficerToken) and "desk" in caller.roles and caller.unit == dossier.current_unit):
        raise Forbidden
    if dossier.state in TERMINAL:
        raise domain.UploadsClosed


OpenDossier = Annotated[Dossier, Depends(_open_dossier)]


@router.post("/dossiers/{code}/components/{component_code}/uploads", status_code=201)
async def start_upload_for_dossier(
    dossier: OpenDossier, component_code: ComponentCode, body: NewUpload, caller: Caller, tx: Tx, files: FilesDep
) -> UploadTicket:
    """Leave to send one file: for the supplement that is asked for, or a scan of the desk. Nothing in the dossier
    changes before the supplement is sent."""
    upload = _upload(component_code, body, caller, dossier_code=dossier.code)
    return await _start(tx, files, upload, dossier.facts.procedure_id, dossier.facts.case)


@router.delete("/dossiers/{code}/uploads/{upload_id}", status_code=204)
async def drop_upload_of_dossier(dossier: OpenDossier, upload_id: UUID, caller: Caller, tx: Tx) -> None:
    """Take back a file that one sent for the dossier, before it became part of it."""
    await store.drop(tx, upload_id, dossier_code=dossier.code, uploaded_by=_ref(caller))


@router.post("/dossiers/{code}/uploads/{upload_id}/completion")
async def complete_upload_of_dossier(
    code: Code, upload_id: UUID, caller: Caller, db: Db, files: FilesDep
) -> UploadView:
    """The file was sent: it is examined now."""
    await processing.readable(db, code, caller)
    return await _complete(await store.upload(db, upload_id, dossier_code=code), db, files)


@router.get("/dossiers/{code}/uploads")
async def list_uploads_of_dossier(code: Code, caller: Caller, db: Db) -> Uploads:
    """Files sent for the dossier that are not part of it yet: what "Gửi bổ sung" would send."""
    await processing.readable(db, code, caller)
    part_of_it = {file.id for file in await store.every_file_of(db, code)}
    waiting = await store.uploads_of(db, dossier_code=code)
    return Uploads(items=[view(upload) for upload in waiting if upload.id not in part_of_it])


# ── both ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _upload(
    component_code: str,
    body: NewUpload,
    caller: Token,
    *,
    draft_id: UUID | None = None,
    dossier_code: str | None = None,
) -> Upload:
    return Upload(
        id=ids.new(), draft_id=draft_id, dossier_code=dossier_code, component_code=component_code, created_at=now(),
        uploaded_by=_ref(caller), **body.model_dump(),
    )  # fmt: skip


async def _start(tx: Connection, files: FilesDep, upload: Upload, procedure_id: UUID, case: str) -> UploadTicket:
    procedure, _ = await catalogue.version(tx, procedure_id)
    component = procedure.case(case).component(upload.component_code)
    if component is None:
        raise NotFound("Thủ tục không có thành phần này")
    domain.declared(component, upload.file_name, upload.content_type, upload.size)
    ticket = files.presign_upload(  # signing is computed here, no network
        upload.quarantine_key, content_type=upload.content_type, max_size=upload.size, sha256_hex=upload.sha256
    )
    await store.add(tx, upload)
    return UploadTicket(upload_id=upload.id, url=ticket.url, fields=ticket.fields, expires_at=ticket.expires_at)


async def _complete(upload: Upload, db: Database, files: FilesDep) -> UploadView:
    (examined,) = await examination.examine([upload], db, files)
    return view(examined)


# ── signatures of a dossier's files ───────────────────────────────────────────────────────────────────────────


@router.get("/dossiers/{code}/files/{file_id}/signature-checks")
async def list_signature_checks(code: Code, file_id: UUID, caller: Caller, db: Db) -> Checks:
    """Every check of the file's digital signatures, the newest first; the newest counts."""
    await processing.readable(db, code, caller)
    return await _checks(db, (await store.file(db, code, file_id)).sha256)


@router.post("/dossiers/{code}/files/{file_id}/signature-checks", status_code=201)
async def check_signature(
    code: Code, file_id: UUID, who: Checker, db: Db, later: Later, files: FilesDep, body: ManualCheck | None = None
) -> Checks:
    """Kiểm tra chữ ký số: the machine checks again, with the roots and revocation lists of now; or, with a body, the
    officer records what the NEAC's tool said. What was checked before stays on record."""
    dossier = await processing.readable(db, code, who)
    if dossier.current_unit != who.unit:
        raise NotYourUnit
    file, moment = await store.file(db, code, file_id), now()
    if body:
        check = domain.by_officer(file, body.status, who.ref, body.note, moment)
    else:
        data = await files.read(f"clean/{file.sha256}")
        check = domain.by_machine(file, await examination.verify(data, file.content_type, moment))
    tx = await later.begin()
    await store.add_checks(tx, check)
    return await _checks(tx, file.sha256)


async def _checks(db: Database | Connection, sha256: str) -> Checks:
    checks = await store.checks_of(db, sha256)
    return Checks(items=[Check.model_validate(check, from_attributes=True) for check in checks])

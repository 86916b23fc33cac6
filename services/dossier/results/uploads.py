"""Results that were written elsewhere: PDFs that the deciding unit sends, examined like any other file."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends

from kit import ids
from kit.auth import OfficerToken, officer
from kit.clock import now
from kit.db import Database
from kit.files import Files, FilesDep
from kit.http import Router, Tx
from kit.problems import NotFound
from services.dossier.attachments import examination
from services.dossier.attachments import store as attachments
from services.dossier.attachments.api import NewUpload, UploadTicket
from services.dossier.attachments.domain import FileRefused, Upload, Verdict
from services.dossier.catalogue.domain import MAX_FILE
from services.dossier.processing import store as dossiers
from services.dossier.processing.api import Code
from services.dossier.processing.domain import TERMINAL, ActNotPossible, NotYourUnit

router = Router(prefix="/api/v1", tags=["results"])

RESULT = "result"
"""In place of a component's code: the file answers the dossier."""
PDF = "application/pdf"


@router.post("/dossiers/{code}/result-uploads", status_code=201)
async def start_result_upload(
    code: Code, who: Annotated[OfficerToken, Depends(officer("specialist"))], body: NewUpload, tx: Tx, files: FilesDep
) -> UploadTicket:
    """Leave to send a result as PDF: written elsewhere, for `proposal`; or signed elsewhere, for `signed-result`."""
    dossier = await dossiers.lock(tx, code)
    if who.unit != dossier.current_unit:
        raise NotYourUnit
    if dossier.state in TERMINAL:
        raise ActNotPossible
    if body.content_type != PDF or body.size > MAX_FILE:
        raise FileRefused(f"Kết quả là một tệp PDF không quá {MAX_FILE // 1024**2} MB")
    upload = Upload(
        id=ids.new(), draft_id=None, dossier_code=code, component_code=RESULT, created_at=now(), uploaded_by=who.ref,
        **body.model_dump(),
    )  # fmt: skip
    ticket = files.presign_upload(
        upload.quarantine_key, content_type=PDF, max_size=body.size, sha256_hex=body.sha256
    )  # computed here, no network
    await attachments.add(tx, upload)
    return UploadTicket(upload_id=upload.id, url=ticket.url, fields=ticket.fields, expires_at=ticket.expires_at)


async def written_elsewhere(db: Database, files: Files, code: str, upload_id: UUID) -> bytes:
    """The bytes of such a file, examined; FileRefused says what is wrong with it."""
    upload = await attachments.upload(db, upload_id, dossier_code=code)
    if upload.component_code != RESULT:
        raise NotFound("Không có tệp này")
    (examined,) = await examination.examine([upload], db, files)
    if examined.verdict is not Verdict.CLEAN:
        raise FileRefused(f"Tệp “{examined.file_name}” {examined.message or 'chưa được kiểm tra'}")
    return await files.read(examined.clean_key)

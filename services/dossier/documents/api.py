"""The citizen's document store, and what they agreed to."""

from datetime import date, datetime
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field

from kit import ids
from kit.auth import Citizen, Public
from kit.clock import now
from kit.files import FilesDep
from kit.http import Db, Router, Tx
from services.dossier.documents import domain, store
from services.dossier.documents.domain import Consent, Document, Origin, Purpose
from services.dossier.documents.words import CONSENTS
from services.dossier.processing.api import Link
from services.dossier.tenant import Tenant, TenantDep

router = Router(prefix="/api/v1", tags=["documents"])

EXTENSIONS = {"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png"}


class DocumentView(BaseModel):
    """One document of a citizen's store."""

    id: UUID
    origin: Origin
    dossier_code: str
    result_code: str | None
    component_code: str | None
    name: str
    issuer_unit: str | None
    number: str | None
    sha256: str
    issued_at: datetime
    valid_to: date | None
    """Last day of validity, in Viet Nam; null when it does not end."""
    revoked_at: datetime | None
    in_force: bool
    """Còn giá trị sử dụng: whether it can be used in another dossier today."""


class Documents(BaseModel):
    items: list[DocumentView]


@router.get("/documents")
async def list_documents(citizen: Citizen, db: Db, tenant: TenantDep) -> Documents:
    """Kho quản lý dữ liệu điện tử: what was provided with consent and what was issued, newest first."""
    return Documents(items=[view(document, tenant) for document in await store.of_owner(db, citizen.ref)])


def view(document: Document, tenant: Tenant) -> DocumentView:
    """The document as its owner sees it today."""
    names = DocumentView.model_fields.keys() - {"origin", "in_force"}
    fields = {name: getattr(document, name) for name in names}
    today = tenant.calendar.local_date(now())
    return DocumentView(**fields, origin=document.origin, in_force=document.in_force(today))


@router.get("/documents/{document_id}")
async def get_document(document_id: UUID, citizen: Citizen, db: Db, files: FilesDep) -> Link:
    """The file of one document of the store."""
    document = await store.read(db, document_id, citizen.ref)
    name = f"{document.dossier_code}.{EXTENSIONS.get(document.content_type, 'bin')}"
    return Link(url=files.presign_download(f"clean/{document.sha256}", file_name=name))


# ── consent ───────────────────────────────────────────────────────────────────────────────────────────────────


class ConsentText(BaseModel):
    """What a person is asked to agree to, in the edition that is in force."""

    purpose: Purpose
    version: str
    text: str
    data_categories: list[str]


class ConsentTexts(BaseModel):
    items: list[ConsentText]


class NewConsent(BaseModel):
    model_config = ConfigDict(extra="forbid")

    purpose: Purpose
    text_version: str = Field(max_length=40)
    """Edition of the text that the person read."""


class ConsentView(BaseModel):
    """Something the person agreed to."""

    id: UUID
    purpose: Purpose
    data_categories: list[str]
    text_version: str
    channel: str
    given_at: datetime
    withdrawn_at: datetime | None


class Consents(BaseModel):
    items: list[ConsentView]


@router.get("/consents/texts", dependencies=[Public])
async def list_consent_texts() -> ConsentTexts:
    """What may be agreed to. No dossier depends on any of it."""
    texts = [
        ConsentText(purpose=purpose, version=each.version, text=each.text, data_categories=list(each.data_categories))
        for purpose, each in CONSENTS.items()
    ]
    return ConsentTexts(items=texts)


@router.get("/consents")
async def list_consents(citizen: Citizen, db: Db) -> Consents:
    """Everything the citizen ever agreed to, newest first."""
    return Consents(items=[_consent(consent) for consent in await store.consents_of(db, citizen.ref)])


@router.post("/consents", status_code=201)
async def give_consent(body: NewConsent, citizen: Citizen, tx: Tx) -> ConsentView:
    """Agree to one purpose. Agreeing again answers with the consent that is in force."""
    wanted = consent(citizen.ref, body.purpose, body.text_version, "provincial_portal", now())
    return _consent(await store.give(tx, wanted))


def consent(subject: UUID, purpose: Purpose, text_version: str, channel: str, given_at: datetime) -> Consent:
    """A new consent; refuses an edition of the text that is not the one in force."""
    text = CONSENTS[purpose]
    if text_version != text.version:
        raise domain.ConsentTextOutdated(text_version=text.version)
    return Consent(ids.new(), subject, purpose, text.data_categories, text_version, channel, given_at)


@router.post("/consents/{consent_id}/withdrawal")
async def withdraw_consent(consent_id: UUID, citizen: Citizen, tx: Tx, response: Response) -> ConsentView:
    """Rút lại sự đồng ý: what was kept by it leaves the store at once. Dossiers that were filed stay as they are."""
    withdrawn = domain.withdraw(await store.lock_consent(tx, consent_id, citizen.ref), now())
    await store.withdraw(tx, withdrawn)
    return _consent(withdrawn)


def _consent(consent: Consent) -> ConsentView:
    return ConsentView.model_validate(consent, from_attributes=True)

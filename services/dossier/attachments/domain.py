"""Attachments: what somebody says they send, what examining it found, and what a dossier then holds.

An upload is declared, sent to quarantine, examined, and only what is clean may become part of a dossier. The declared
SHA-256 ties the three together: a file that changed is another upload, never another content of the same one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from contracts import dossier as contract
from contracts.dossier import ComponentSource, SignatureStatus
from contracts.refusal import Refusal
from services.dossier.catalogue.domain import Case, Component, Mode
from services.dossier.faults import Fault

QUARANTINED = timedelta(days=1)
"""How long what was sent waits for its examination; the leave to send it ends long before."""


class Verdict(StrEnum):
    """What examining an upload found."""

    PENDING = "pending"
    """Not examined yet, or what was sent is not (any more) what was declared."""
    CLEAN = "clean"
    INFECTED = "infected"
    REFUSED = "refused"
    """Not what it claims to be, or it carries what no paper needs; `rule` says what."""


class SignerType(StrEnum):
    """Who a certificate names."""

    CITIZEN = "citizen"
    ORGANISATION = "organisation"
    OFFICER = "officer"
    AGENCY = "agency"


class Revocation(StrEnum):
    """What the mounted revocation lists say of a certificate."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    """There is no list of its issuer."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What checking one digital signature of a file gave."""

    field: str
    status: SignatureStatus
    signer: str
    """The name in the certificate."""
    serial: str
    """The certificate's serial number, hexadecimal."""
    issuers: tuple[str, ...]
    """The chain from the issuer up to the trusted root; the issuer alone when no path leads to one."""
    valid_from: datetime
    valid_to: datetime
    """Of the certificate."""
    revocation: Revocation
    intact: bool
    """Whether the signed bytes are unchanged."""
    covers_file: bool
    """Whether nothing at all was added after signing."""
    signer_type: SignerType | None = None
    """None when nobody whom we trust vouches for the certificate."""
    signed_at: datetime | None = None
    """When the signer says it was."""
    time_stamp: datetime | None = None
    """When a trusted time stamp says it was."""
    why: str | None = None
    """What keeps it from being valid, as a stable name; for instance `revoked`, `changed`, `expired`."""


@dataclass(frozen=True, slots=True)
class SignatureReport:
    """What checking all signatures of a file gave, at a moment and against so many trusted roots."""

    status: SignatureStatus
    verified_at: datetime
    trust_anchors: int
    signatures: tuple[Signature, ...] = ()
    why: str | None = None


def quarantined(upload_id: UUID | str) -> str:
    """Where what is sent for that upload lies until it was examined."""
    return f"quarantine/{upload_id}"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that somebody said they would send: what they declared, and what we found."""

    id: UUID
    draft_id: UUID | None
    """The draft it is for; else it is for a dossier."""
    dossier_code: str | None
    component_code: str
    file_name: str
    content_type: str
    size: int
    """Bytes."""
    sha256: str
    created_at: datetime
    uploaded_by: UUID | None = None
    """Opaque reference of the citizen or officer who sends it."""
    verdict: Verdict = Verdict.PENDING
    rule: str | None = None
    """Stable name of what is wrong; none when it is clean or was not looked at."""
    message: str | None = None
    """What is wrong, in Vietnamese: the end of a sentence that begins with the file's name."""
    pages: int | None = None
    examined_at: datetime | None = None
    report: SignatureReport | None = None
    """What checking its digital signatures gave."""

    @property
    def quarantine_key(self) -> str:
        return quarantined(self.id)

    @property
    def clean_key(self) -> str:
        return f"clean/{self.sha256}"


@dataclass(frozen=True, slots=True)
class ComponentFile:
    """One checked file of a dossier; its bytes are at `clean/<sha256>` and never change."""

    id: UUID
    component_code: str
    file_name: str
    content_type: str
    size: int
    """Bytes."""
    sha256: str
    pages: int
    source: ComponentSource


class FileRefused(Refusal):
    """What is declared about a file already rules it out."""

    status = 422
    title = "Không nhận được tệp này"
    title_en = "This file cannot be taken"


class UploadsClosed(Refusal):
    """A dossier takes files from its owner only while a supplement is asked for."""

    title = "Hồ sơ không có yêu cầu bổ sung nào đang chờ, không nhận thêm tệp"
    title_en = "No supplement is being asked for; the dossier takes no more files"


def declared(component: Component, file_name: str, content_type: str, size: int) -> None:
    """Refuse a file by what is said about it, before a byte is sent."""
    if component.mode is Mode.PRESENT:
        raise FileRefused(f"“{component.name}” chỉ cần xuất trình, không cần tải lên")
    if content_type not in component.accepted_types:
        raise FileRefused(f"“{component.name}” chỉ nhận tệp {_names(component.accepted_types)}")
    if not 0 < size <= component.max_size:
        limit = component.max_size // 1024**2
        raise FileRefused(f"Tệp của “{component.name}” phải có nội dung và không quá {limit} MB")
    if not file_name.strip():
        raise FileRefused("Tệp phải có tên")


def _names(types: Sequence[str]) -> str:
    return ", ".join(kind.rsplit("/", 1)[-1].upper() for kind in types)


def chosen(case: Case, uploads: Sequence[Upload]) -> list[Upload]:
    """The files that count: of each component the newest, as many as it may have."""
    newest_first = sorted(uploads, key=lambda upload: (upload.created_at, upload.id), reverse=True)
    count: dict[str, int] = {}
    kept = []
    for upload in newest_first:
        component = case.component(upload.component_code)
        count[upload.component_code] = count.get(upload.component_code, 0) + 1
        if component and count[upload.component_code] <= component.max_files:
            kept.append(upload)
    return kept[::-1]


def faults(case: Case, uploads: Iterable[Upload]) -> list[Fault]:
    """Every upload that may not become part of a dossier, and why."""
    return [_fault(case, upload) for upload in uploads if upload.verdict is not Verdict.CLEAN]


def _fault(case: Case, upload: Upload) -> Fault:
    component = case.component(upload.component_code)
    name = component.name if component else upload.component_code
    message = upload.message or "chưa được kiểm tra, xin thử lại"
    about = f"“{name}”: tệp “{upload.file_name}” {message}"
    return Fault(f"components.{upload.component_code}", upload.rule or "not_examined", about)


def taken(uploads: Iterable[Upload], source: ComponentSource = ComponentSource.UPLOAD) -> list[ComponentFile]:
    """The files of a dossier that clean uploads become; ValueError for one that is not clean."""
    return [_taken(upload, source) for upload in uploads]


def _taken(upload: Upload, source: ComponentSource) -> ComponentFile:
    if upload.verdict is not Verdict.CLEAN or upload.pages is None:
        raise ValueError(f"upload {upload.id} was not found clean")
    return ComponentFile(
        id=upload.id, component_code=upload.component_code, file_name=upload.file_name,
        content_type=upload.content_type, size=upload.size, sha256=upload.sha256, pages=upload.pages, source=source,
    )  # fmt: skip


def components_of(files: Sequence[ComponentFile]) -> tuple[contract.Component, ...]:
    """What the dossier holds, as others are told: codes and opaque references of the exact files."""
    codes = dict.fromkeys((file.component_code, file.source) for file in files)
    return tuple(
        contract.Component(
            code=code,
            document_refs=tuple(str(file.id) for file in files if file.component_code == code),
            source=source,
        )
        for code, source in codes
    )

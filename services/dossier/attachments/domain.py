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
    def signed(self) -> SignatureStatus:
        """What checking its signatures gave when it was examined."""
        return self.report.status if self.report else SignatureStatus.NOT_SIGNED

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
    signed: SignatureStatus = SignatureStatus.NOT_SIGNED
    """What the newest check of its digital signatures gave, by machine or officer."""
    is_checked: bool = False
    """Whether there is a record of such a check."""
    report: SignatureReport | None = None
    """The machine's report, of a file that is about to become part of a dossier."""


class FileRefused(Refusal):
    """What is declared about a file already rules it out."""

    status = 422
    title = "Không nhận được tệp này"
    title_en = "This file cannot be taken"


class UploadsClosed(Refusal):
    """A dossier takes files from its owner only while a supplement is asked for."""

    title = "Hồ sơ không có yêu cầu bổ sung nào đang chờ, không nhận thêm tệp"
    title_en = "No supplement is being asked for; the dossier takes no more files"


class SignatureUnchecked(Refusal):
    """A dossier is accepted only when every signature in it has a record of its check (NĐ 45/2020/NĐ-CP); the check
    can be asked for, or an officer records what the NEAC's tool said."""

    title = "Còn tệp chưa được kiểm tra chữ ký số, xin kiểm tra rồi tiếp nhận"
    title_en = "A file's digital signature was not checked yet"


class NothingSigned(Refusal):
    title = "Tệp không có chữ ký số nào để xác nhận"
    title_en = "The file carries no digital signature that could be confirmed"


class VerifiedBy(StrEnum):
    """Who checked a signature."""

    MACHINE = "machine"
    OFFICER = "officer"
    """With the NEAC's tool (https://neac.gov.vn)."""


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """One check of the digital signatures of a file. Checks are only ever added; they belong to the bytes, so that a
    file which another dossier has too, as a copy or a link, was checked there as well."""

    sha256: str
    status: SignatureStatus
    verified_by: VerifiedBy
    verified_at: datetime
    officer_ref: UUID | None = None
    note: str | None = None
    """What the officer saw, where, in their words."""
    report: SignatureReport | None = None
    """The machine's."""


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


UNSIGNED = {
    SignatureStatus.NOT_SIGNED: ("signature_missing", "chưa được ký số, mà thành phần này bắt buộc ký số"),
    SignatureStatus.INVALID: ("signature_invalid", "có chữ ký số không hợp lệ, xin ký lại rồi tải lại"),
    SignatureStatus.INDETERMINATE: (
        "signature_indeterminate",
        "có chữ ký số chưa xác thực được: chứng thư hết hạn, bị thu hồi hoặc không do tổ chức được công nhận cấp",
    ),
}
"""What is wrong with the signature of a component that the law wants signed."""


def faults(case: Case, uploads: Iterable[Upload]) -> list[Fault]:
    """Every upload that may not become part of a dossier, and why."""
    return [fault for upload in uploads if (fault := _fault(case.component(upload.component_code), upload))]


def _fault(component: Component | None, upload: Upload) -> Fault | None:
    rule, message = upload.rule or "not_examined", upload.message or "chưa được kiểm tra, xin thử lại"
    if upload.verdict is Verdict.CLEAN:
        if not (component and component.signature_required) or upload.signed == SignatureStatus.VALID:
            return None
        rule, message = UNSIGNED[upload.signed]
    name = component.name if component else upload.component_code
    about = f"“{name}”: tệp “{upload.file_name}” {message}"
    return Fault(f"components.{upload.component_code}", rule, about)


def taken(uploads: Iterable[Upload], source: ComponentSource = ComponentSource.UPLOAD) -> list[ComponentFile]:
    """The files of a dossier that clean uploads become; ValueError for one that is not clean."""
    return [_taken(upload, source) for upload in uploads]


def _taken(upload: Upload, source: ComponentSource) -> ComponentFile:
    if upload.verdict is not Verdict.CLEAN or upload.pages is None:
        raise ValueError(f"upload {upload.id} was not found clean")
    return ComponentFile(
        id=upload.id, component_code=upload.component_code, file_name=upload.file_name,
        content_type=upload.content_type, size=upload.size, sha256=upload.sha256, pages=upload.pages, source=source,
        signed=upload.signed, is_checked=upload.report is not None, report=upload.report,
    )  # fmt: skip


def components_of(files: Sequence[ComponentFile]) -> tuple[contract.Component, ...]:
    """What the dossier holds, as others are told: codes and opaque references of the exact files."""
    codes = dict.fromkeys((file.component_code, file.source) for file in files)
    return tuple(
        contract.Component(
            code=code,
            document_refs=tuple(str(file.id) for file in files if file.component_code == code),
            signed=worst([file.signed for file in files if file.component_code == code]),
            source=source,
        )
        for code, source in codes
    )


def worst(statuses: Iterable[SignatureStatus]) -> SignatureStatus:
    """What a paper in several files, or a file with several signatures, comes to."""
    found = set(statuses)
    for status in (SignatureStatus.INVALID, SignatureStatus.INDETERMINATE, SignatureStatus.NOT_SIGNED):
        if status in found:
            return status
    return SignatureStatus.VALID if found else SignatureStatus.NOT_SIGNED


# ── what the desk may do with signed files ────────────────────────────────────────────────────────────────────


def signatures_checked(files: Iterable[ComponentFile]) -> None:
    """Refuse while a signature that came with the dossier has no record of its check (D5, REC-6)."""
    unchecked = [file for file in files if not file.is_checked and file.source in SENT]
    if unchecked:
        raise SignatureUnchecked(errors=[{"field": f"components.{file.component_code}"} for file in unchecked])


SENT = frozenset({ComponentSource.UPLOAD, ComponentSource.PAPER})


def validly_signed(files: Iterable[ComponentFile]) -> set[str]:
    """Codes of the components of which every file that the dossier has now is validly signed.

    No paper may be demanded for those (NĐ 45/2020/NĐ-CP, Art. 6(2)(b)).
    """
    statuses: dict[str, list[SignatureStatus]] = {}
    for file in files:
        statuses.setdefault(file.component_code, []).append(file.signed)
    return {code for code, found in statuses.items() if worst(found) == SignatureStatus.VALID}


def by_officer(
    file: ComponentFile, status: SignatureStatus, officer_ref: UUID, note: str, now: datetime
) -> SignatureCheck:
    """What an officer found with the NEAC's tool; where the machine saw no signature there is none to confirm."""
    if file.is_checked and file.signed == SignatureStatus.NOT_SIGNED and status != SignatureStatus.NOT_SIGNED:
        raise NothingSigned
    return SignatureCheck(file.sha256, status, VerifiedBy.OFFICER, now, officer_ref, note)


def by_machine(file: ComponentFile, report: SignatureReport) -> SignatureCheck:
    return SignatureCheck(file.sha256, report.status, VerifiedBy.MACHINE, report.verified_at, report=report)

"""The citizen's document store (kho quản lý dữ liệu điện tử): results, and papers kept with consent, for reuse.

What was provided once need not be provided again while it is in force (NĐ 45/2020/NĐ-CP, Art. 16). Keeping a provided
paper needs its owner's consent (Luật Bảo vệ dữ liệu cá nhân 91/2025/QH15); a published result is the agency's own
document and is kept anyway.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from contracts.refusal import Refusal
from services.dossier.catalogue.domain import Component


class Purpose(StrEnum):
    """What a person may allow, or not, without any dossier depending on it."""

    DOCUMENT_REUSE = "document_reuse"
    """Papers provided with a dossier are kept for the next one."""


class Origin(StrEnum):
    """How a document came into the store."""

    RESULT = "result"
    """Kết quả giải quyết: published here."""
    PROVIDED = "provided"
    """Sent by its owner with a dossier, and kept with consent."""


class ConsentTextOutdated(Refusal):
    """The person agreed to a text that is not the one in force; `text_version` is."""

    title = "Nội dung xin ý kiến đồng ý đã thay đổi, xin đọc lại rồi xác nhận"
    title_en = "The text of the consent has changed; read it again"


class DocumentNotInForce(Refusal):
    """An expired or revoked document serves nobody."""

    title = "Giấy tờ này không còn giá trị sử dụng"
    title_en = "This document is no longer in force"


class DocumentDoesNotFit(Refusal):
    """The document is not what the component asks for."""

    status = 422
    title = "Giấy tờ này không phải là thành phần hồ sơ được yêu cầu"
    title_en = "This document is not what the component asks for"


class DocumentsLapsed(Refusal):
    """Documents of the store that the dossier rests on expired or were revoked since they were linked; `components`
    names where another paper is needed."""

    title = "Giấy tờ dùng lại từ kho không còn giá trị sử dụng: cần yêu cầu bổ sung"
    title_en = "Reused documents are no longer in force: ask for a supplement"


@dataclass(frozen=True, slots=True)
class Consent:
    """Somebody agreed that data about them is used for one purpose, until they withdraw it."""

    id: UUID
    subject_ref: UUID
    purpose: Purpose
    data_categories: tuple[str, ...]
    text_version: str
    """Edition of the text they agreed to."""
    channel: str
    """Where they said so: `provincial_portal` or `desk`."""
    given_at: datetime
    withdrawn_at: datetime | None = None


def withdraw(consent: Consent, now: datetime) -> Consent:
    """The consent as withdrawn; withdrawing again changes nothing."""
    return consent if consent.withdrawn_at else replace(consent, withdrawn_at=now)


@dataclass(frozen=True, slots=True)
class Document:
    """One document of the store. Its bytes are at `clean/<sha256>` and never change."""

    id: UUID
    owner_ref: UUID
    dossier_code: str
    """The dossier it came from."""
    result_code: str | None
    """Code of the kind of result, for a result."""
    component_code: str | None
    """Code of the component it was sent as, for a provided paper."""
    name: str
    issuer_unit: str | None
    number: str | None
    sha256: str
    content_type: str
    issued_at: datetime
    """When it was published, or provided."""
    valid_to: date | None
    """Last day of its validity in Viet Nam; None when it does not end."""
    revoked_at: datetime | None
    consent_id: UUID | None

    @property
    def origin(self) -> Origin:
        return Origin.RESULT if self.result_code else Origin.PROVIDED

    def in_force(self, today: date) -> bool:
        """Còn giá trị sử dụng: neither revoked nor expired on that local day."""
        return self.revoked_at is None and (self.valid_to is None or today <= self.valid_to)

    def serves(self, component: Component) -> bool:
        """Whether it is what the component asks for: the same paper, or a result that stands for it."""
        if self.component_code:
            return self.component_code == component.code
        return self.result_code in component.from_results


def fitting(documents: Iterable[Document], component: Component, today: date) -> list[Document]:
    """The documents in force that could be used as the component, in the order given."""
    return [document for document in documents if document.in_force(today) and document.serves(component)]


def check_lapsed(components: list[str]) -> None:
    """Refuse to accept what rests on documents that are no longer in force (§4.8(9))."""
    if components:
        raise DocumentsLapsed(components=components)


def usable(document: Document, component: Component, today: date) -> None:
    """Refuse a document that cannot be used as the component today."""
    if not document.serves(component):
        raise DocumentDoesNotFit(f"“{document.name}” không dùng được cho “{component.name}”")
    if not document.in_force(today):
        raise DocumentNotInForce(f"“{document.name}”")

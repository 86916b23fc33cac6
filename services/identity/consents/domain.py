"""Consent: what somebody agreed to, in which words, and that they may take it back (Luật Bảo vệ dữ liệu cá nhân 2025).

A dossier never depends on consent: authorities process it to perform their legal duties. What stands here is what a
person may refuse without losing anything: filling forms from the profile, and being told without asking. Keeping
documents for reuse is agreed to where the documents are, in the dossier service.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from contracts.refusal import Refusal


class ConsentUnknown(Refusal):
    """There is no such consent of this person, or it was taken back before."""

    status = 404
    title = "Không tìm thấy sự đồng ý này."
    title_en = "There is no such consent."


class TextOutdated(Refusal):
    """Somebody agrees to the words they saw; these have changed since."""

    title = "Nội dung đồng ý đã thay đổi. Vui lòng đọc lại rồi xác nhận."
    title_en = "The text has changed; read it again."


class Purpose(StrEnum):
    """What one may agree to."""

    AUTOFILL = "autofill"
    PROACTIVE_NOTICE = "proactive_notice"


@dataclass(frozen=True, slots=True)
class Text:
    """The words that are agreed to, and the categories of data they are about."""

    version: int
    words: str
    categories: tuple[str, ...]


TEXTS: Mapping[Purpose, Text] = {
    Purpose.AUTOFILL: Text(
        1,
        "Tôi đồng ý để Cổng dịch vụ công điền sẵn thông tin cá nhân của tôi vào biểu mẫu điện tử. "
        "Tôi có thể rút lại bất cứ lúc nào; hồ sơ đã nộp không bị ảnh hưởng.",
        ("full_name", "identity_number", "birth_date", "issued_on", "phone", "email", "address"),
    ),
    Purpose.PROACTIVE_NOTICE: Text(
        1,
        "Tôi đồng ý nhận thông báo chủ động về giấy tờ sắp hết hạn và thủ tục liên quan đến tôi. "
        "Tôi có thể rút lại bất cứ lúc nào.",
        ("phone", "email"),
    ),
}
"""A changed text gets the next version; earlier consents stay with the words they were given to."""


@dataclass(frozen=True, slots=True)
class Consent:
    """One agreement of one person."""

    id: UUID
    account_ref: UUID
    purpose: Purpose
    categories: tuple[str, ...]
    text_version: int
    channel: str
    given_at: datetime
    withdrawn_at: datetime | None = None


def give(id: UUID, account_ref: UUID, purpose: Purpose, text_version: int, channel: str, now: datetime) -> Consent:  # noqa: A002
    """The person agrees to the words of that version, which must be today's."""
    text = TEXTS[purpose]
    if text_version != text.version:
        raise TextOutdated(text_version=text.version)
    return Consent(id, account_ref, purpose, text.categories, text_version, channel, now)


def withdraw(consent: Consent, now: datetime) -> Consent:
    """Taken back: from now on nothing is done with it. What was filed stays filed."""
    if consent.withdrawn_at:
        raise ConsentUnknown()
    return replace(consent, withdrawn_at=now)

"""Moving an appointment: an apology, which the law lets an agency make once, or more time that the law gives.

The competent agency decides and signs the reason; the one-stop desk tells the applicant. The first appointment is kept,
and lateness is measured against it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from uuid import UUID

from contracts.dossier import DeadlineExtended, ExtensionKind
from contracts.refusal import Refusal
from services.dossier.catalogue.domain import Case
from services.dossier.clocks.calendar import Limit, Unit
from services.dossier.clocks.domain import Rules
from services.dossier.processing.domain import Act, Actor, Dossier, NotYourRole, allowed, envelope, move, person


class AlreadyRescheduled(Refusal):
    """An appointment is put off by apology once (NĐ 61/2018/NĐ-CP, Art. 19(9); NĐ 297/2025/NĐ-CP)."""

    title = "Hồ sơ đã được xin lỗi và hẹn lại; không được hẹn lại thêm lần nữa"
    title_en = "The appointment has been put off already; the law allows it once"


class ExtensionNotGiven(Refusal):
    """The law gives no more time for this case."""

    title = "Pháp luật không cho gia hạn thời hạn giải quyết của trường hợp này"
    title_en = "The law gives no more time for this case"


class NoAppointment(Refusal):
    """There is no appointment that could be moved."""

    title = "Hồ sơ không có ngày hẹn trả kết quả để hẹn lại"
    title_en = "The dossier has no appointment to move"


class NewDateUnfit(Refusal):
    """The new date is a working day after the old one, within what the law gives."""

    status = 422
    title = "Ngày hẹn mới phải là ngày làm việc, sau ngày hẹn cũ và trong phạm vi được phép"
    title_en = "The new date must be a working day after the old one, within what is allowed"


class ReasonMissing(Refusal):
    """The applicant is told why."""

    status = 422
    title = "Phải nêu rõ lý do hẹn lại hoặc gia hạn"
    title_en = "State why the appointment is moved"


class ExtensionWaitsAlready(Refusal):
    """A decision waits for the desk to publish it."""

    title = "Đang có một quyết định hẹn lại chờ Bộ phận Một cửa thông báo"
    title_en = "A decision to move the appointment waits to be published"


class NoExtensionWaits(Refusal):
    """Nothing was decided that the desk could publish."""

    title = "Không có quyết định hẹn lại nào chờ thông báo"
    title_en = "No decision to move the appointment waits to be published"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the competent agency wants to decide."""

    kind: ExtensionKind
    new_date: date
    """Local; the appointment is at close of business."""
    reason: str


@dataclass(frozen=True, slots=True)
class Extension:
    """A decision to move the appointment."""

    id: UUID
    dossier_code: str
    kind: ExtensionKind
    reason: str
    legal_basis: str
    new_due_at: datetime
    decided_by: UUID
    decided_unit: str
    decided_at: datetime
    old_due_at: datetime | None = None
    """The appointment before it; None until it is published."""
    published_by: UUID | None = None
    published_at: datetime | None = None
    mau04_ref: str | None = None


def decide(
    dossier: Dossier, by: Actor, now: datetime, new_id: UUID, wish: Wish, case: Case, rules: Rules,
    before: Sequence[Extension],
) -> Extension:  # fmt: skip
    """The competent agency decides (D20, first half); the applicant hears of it when the desk publishes it."""
    allowed(dossier, Act.EXTEND, by)
    if "leader" not in by.roles:
        raise NotYourRole
    if not wish.reason.strip():
        raise ReasonMissing
    if any(extension.published_at is None for extension in before):
        raise ExtensionWaitsAlready
    legal_basis = _allowance(wish, case, rules, before)
    due_at = _new_due(dossier, wish, case, rules, now).astimezone(UTC)
    return Extension(
        new_id, dossier.code, wish.kind, wish.reason, legal_basis, due_at, person(by),
        by.unit or dossier.current_unit, now,
    )  # fmt: skip


def _allowance(wish: Wish, case: Case, rules: Rules, before: Sequence[Extension]) -> str:
    """The law that bears it, in Vietnamese; a refusal where none does (any more)."""
    same = sum(extension.kind == wish.kind for extension in before)
    if wish.kind == ExtensionKind.APOLOGY:
        if same >= rules.policy.max_reschedules:
            raise AlreadyRescheduled
        return rules.policy.sources.get("max_reschedules", "")
    if case.extension is None or same:
        raise ExtensionNotGiven
    return "Gia hạn theo quy định của thủ tục"


def _new_due(dossier: Dossier, wish: Wish, case: Case, rules: Rules, now: datetime) -> datetime:
    if dossier.due_at is None or dossier.original_due_at is None:
        raise NoAppointment
    working = rules.calendar
    due_at = working.closing(wish.new_date)
    if not working.is_working(wish.new_date) or due_at <= max(dossier.due_at, now):
        raise NewDateUnfit(date=wish.new_date.isoformat())
    if wish.kind == ExtensionKind.BY_LAW and case.extension:
        given = Limit(case.extension.value, Unit(case.extension.unit))
        latest = working.after(dossier.original_due_at, given).due_at
        if due_at > latest:
            raise NewDateUnfit(f"Chậm nhất là {latest:%d/%m/%Y}", latest=latest.date().isoformat())
    return due_at


def publish(
    dossier: Dossier, extension: Extension, by: Actor, now: datetime, mau04_ref: str | None
) -> tuple[Dossier, Extension, DeadlineExtended]:
    """The desk tells the applicant the new date (D20, second half); the first one is kept."""
    allowed(dossier, Act.EXTEND, by)
    if "desk" not in by.roles:
        raise NotYourRole
    if dossier.due_at is None or dossier.original_due_at is None:
        raise NoAppointment
    moved = replace(move(dossier, Act.EXTEND, by, now, reason=extension.reason), due_at=extension.new_due_at)
    published = replace(
        extension, old_due_at=dossier.due_at, published_by=person(by), published_at=now, mau04_ref=mau04_ref
    )
    said = DeadlineExtended(
        **envelope(moved, now), kind=extension.kind, original_due_at=dossier.original_due_at,
        old_due_at=dossier.due_at, new_due_at=extension.new_due_at, reason=extension.reason, mau04_ref=mau04_ref,
    )  # fmt: skip
    return moved, published, said

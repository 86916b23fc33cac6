"""How a dossier ends without a result: refused by the leader, withdrawn by its owner, stopped."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

from contracts.dossier import DossierRejected, DossierStopped, DossierWithdrawn
from contracts.refusal import Refusal
from services.dossier.processing.domain import Act, Actor, Dossier, allowed, envelope, move, person
from services.dossier.processing.reception.domain import ReasonMissing, Reasons, check_reasons, rejected
from services.dossier.processing.work.domain import AlreadySigned, may_decide


class RefusalTooLate(Refusal):
    """A refusal reaches the applicant within the time for the result (NĐ 61/2018/NĐ-CP, Art. 19(8))."""

    title = "Đã quá hạn trả kết quả: phải xin lỗi và hẹn lại ngày trả trước khi từ chối"
    title_en = "The appointment has passed: apologise and give a new one before refusing"


class WithdrawalReason(StrEnum):
    """The reasons that a citizen chooses from; no free text, which might tell more than others may know."""

    NO_LONGER_NEEDED = "no_longer_needed"
    WRONG_PROCEDURE = "wrong_procedure"
    WRONG_INFORMATION = "wrong_information"
    FILED_TWICE = "filed_twice"
    WAITED_TOO_LONG = "waited_too_long"
    OTHER = "other"


WITHDRAWAL_REASONS = {
    WithdrawalReason.NO_LONGER_NEEDED: "Không còn nhu cầu",
    WithdrawalReason.WRONG_PROCEDURE: "Chọn nhầm thủ tục",
    WithdrawalReason.WRONG_INFORMATION: "Khai sai thông tin, sẽ nộp lại",
    WithdrawalReason.FILED_TWICE: "Đã nộp trùng hồ sơ",
    WithdrawalReason.WAITED_TOO_LONG: "Chờ quá lâu",
    WithdrawalReason.OTHER: "Lý do khác",
}


def may_refuse(dossier: Dossier, by: Actor, now: datetime, *, late_allowed: bool = False) -> None:
    """The guards of refusing: unsigned, before the leader, somebody else's draft, and not too late."""
    allowed(dossier, Act.REFUSE, by)
    may_decide(dossier, by)
    if dossier.due_at is not None and now > dossier.due_at and not late_allowed:
        raise RefusalTooLate


def refuse(
    dossier: Dossier, by: Actor, now: datetime, why: Reasons, units: Collection[str], mau03_ref: str | None = None,
    *, late_allowed: bool = False,
) -> tuple[Dossier, DossierRejected]:  # fmt: skip
    """The leader refuses to grant what was asked for, with reason and law, within the appointment (D18, Mẫu 03).

    `late_allowed`: the supervisor let the time be passed over.
    """
    may_refuse(dossier, by, now, late_allowed=late_allowed)
    check_reasons(dossier, why, units)
    moved = move(dossier, Act.REFUSE, by, now, why.reason)
    return moved, rejected(dossier, moved, by, now, why, mau03_ref)


def may_withdraw(dossier: Dossier, by: Actor) -> None:
    """As long as nothing is decided (NĐ 118/2025/NĐ-CP, Art. 21)."""
    allowed(dossier, Act.WITHDRAW, by)
    if dossier.approved_at is not None:
        raise AlreadySigned


def withdraw(
    dossier: Dossier, by: Actor, now: datetime, reason: WithdrawalReason | None, mau05_ref: str | None = None
) -> tuple[Dossier, DossierWithdrawn]:
    """The owner, or who sent it for them, takes the dossier back (D21); Mẫu 05 once it was accepted."""
    may_withdraw(dossier, by)
    words = WITHDRAWAL_REASONS[reason] if reason else None
    moved = move(dossier, Act.WITHDRAW, by, now, words)
    return moved, DossierWithdrawn(**envelope(moved, now), reason=words, mau05_ref=mau05_ref)


def stop(
    dossier: Dossier, by: Actor, now: datetime, reason: str, legal_basis: str, mau05_ref: str | None = None
) -> tuple[Dossier, DossierStopped]:
    """The leader ends the work for a reason that the law gives (D22, Mẫu 05)."""
    allowed(dossier, Act.STOP, by)
    if not reason.strip() or not legal_basis.strip():
        raise ReasonMissing
    moved = move(dossier, Act.STOP, by, now, reason)
    said = DossierStopped(
        **envelope(moved, now), reason=reason, legal_basis=legal_basis, officer_ref=person(by), mau05_ref=mau05_ref
    )
    return moved, said

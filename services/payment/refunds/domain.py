"""Money that goes back: what came and pays nothing goes by itself, what was rightly paid only by two persons.

A refund is always of the whole of one payment. While it is under way its bill is locked, as for every other act.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from contracts.payment import FeeRefunded
from contracts.refusal import Refusal
from services.payment.domain import AssessmentState, Bill, Capture, Surplus, change
from services.payment.ledger.domain import OWED_BACK, Entry, Movement, Posting, held_by


class RefundState(StrEnum):
    REQUESTED = "requested"
    APPROVED = "approved"
    DONE = "done"
    DECLINED = "declined"


TRANSITIONS: Mapping[str, Mapping[tuple[StrEnum, StrEnum], str]] = {
    "Refund": {
        (RefundState.REQUESTED, RefundState.APPROVED): "a second person agrees; the provider is asked at once",
        (RefundState.REQUESTED, RefundState.DECLINED): "a second person does not agree",
        (RefundState.APPROVED, RefundState.DONE): "the provider gave it back, or a person transferred it",
    },
}

WORDS = {
    Surplus.PAID_TWICE: "Khoản nộp trùng",
    Surplus.TOO_LATE: "Tiền đến sau khi giao dịch đã hết hạn",
    Surplus.NOTHING_OWED: "Hồ sơ không còn khoản phải nộp",
}
"""Why money goes back by itself, as people read it."""


class NothingToRefund(Refusal):
    """That money was not taken, or is on its way back already."""

    title = "Không có khoản đã nộp nào để hoàn, hoặc khoản này đang được hoàn"
    title_en = "There is no paid amount to give back, or it is on its way back already"


class RefundDecided(Refusal):
    title = "Yêu cầu hoàn tiền này đã được quyết định"
    title_en = "This refund was decided already"


class TwoPersons(Refusal):
    """Whoever asks for a refund does not approve it, and whoever approves it does not pay it out."""

    status = 403
    title = "Việc hoàn tiền cần hai người: người đề nghị, người duyệt và người chi phải khác nhau"
    title_en = "A refund takes two persons"


@dataclass(frozen=True, slots=True)
class Refund:
    """The whole of one payment, on its way back."""

    id: UUID
    dossier_code: str
    assessment_id: UUID
    attempt_id: UUID
    capture: Capture
    reason: str
    """A `Surplus`, or what an officer wrote."""
    surplus: bool
    """The money paid nothing; otherwise the fee itself is given back."""
    state: RefundState
    by_hand: bool
    """The provider cannot do it: a person transfers the money."""
    opened_at: datetime
    proposer_ref: UUID | None = None
    """Null when the system found that the money is not ours."""
    approver_ref: UUID | None = None
    payer_ref: UUID | None = None
    provider_txn: str | None = None
    refunded_at: datetime | None = None
    note: str | None = None

    @property
    def is_for_provider(self) -> bool:
        """Approved, and the provider has yet to give it back."""
        return self.state is RefundState.APPROVED and not self.by_hand

    @property
    def words(self) -> str:
        return WORDS[Surplus(self.reason)] if self.surplus else self.reason

    def becomes(self, to: RefundState) -> "Refund":
        if (self.state, to) not in TRANSITIONS["Refund"]:
            raise RefundDecided(state=self.state)
        return replace(self, state=to)


def may_request(bill: Bill, assessment_id: UUID) -> None:
    """Only what was paid can be given back."""
    paid = [a for a in bill.assessments if a.id == assessment_id and a.state is AssessmentState.PAID]
    if not paid:
        raise NothingToRefund


def approve(refund: Refund, officer_ref: UUID) -> Refund:
    approved = refund.becomes(RefundState.APPROVED)
    if officer_ref == refund.proposer_ref:
        raise TwoPersons
    return replace(approved, approver_ref=officer_ref)


def decline(refund: Refund, officer_ref: UUID, note: str) -> Refund:
    declined = refund.becomes(RefundState.DECLINED)
    if officer_ref == refund.proposer_ref:
        raise TwoPersons
    return replace(declined, approver_ref=officer_ref, note=note)


def leave_to_people(refund: Refund, why: str) -> Refund:
    """The provider cannot give it back. What nobody approved yet needs that first."""
    state = RefundState.APPROVED if refund.approver_ref else RefundState.REQUESTED
    return replace(refund, state=state, by_hand=True, note=why)


def paid_out(refund: Refund, officer_ref: UUID) -> Refund:
    """A person transferred it, who is not the one who approved it."""
    if refund.state is not RefundState.APPROVED or not refund.by_hand:
        raise RefundDecided(state=refund.state)
    if officer_ref == refund.approver_ref:
        raise TwoPersons
    return replace(refund, payer_ref=officer_ref)


def done(bill: Bill, refund: Refund, transaction: str, now: datetime) -> tuple[Bill, Refund, FeeRefunded]:
    """The money is back with whoever paid: booked, and said."""
    finished = replace(refund.becomes(RefundState.DONE), provider_txn=transaction, refunded_at=now)
    assessment = bill.assessment(refund.assessment_id)
    debits: tuple[Entry, ...]
    if refund.surplus:
        debits = (Entry(OWED_BACK, refund.capture.amount),)
    else:
        debits = tuple(Entry(kind, amount) for kind, amount in assessment.by_kind().items())
        bill = change(bill, assessment=assessment.becomes(AssessmentState.REFUNDED))
    posting = Posting(
        refund.assessment_id, refund.attempt_id, refund.capture.provider, transaction, now, pays=False,
        entries=(*debits, Entry(held_by(refund.capture.provider), -refund.capture.amount)), movement=Movement.REFUND,
    )  # fmt: skip
    said = FeeRefunded(
        version=bill.version + 1,
        occurred_at=now,
        dossier_code=bill.dossier_code,
        assessment_id=refund.assessment_id,
        attempt_id=refund.attempt_id,
        amount=refund.capture.amount,
        reason=refund.words,
        provider_txn=transaction,
        refunded_at=now,
    )
    return replace(bill, version=said.version, records=(posting,)), finished, said

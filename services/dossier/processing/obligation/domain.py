"""Taxes and charges that the work itself brings to light (nghĩa vụ tài chính), paid before it goes on.

Another body asks for them and takes them (the tax office, the treasury), so the fee lines of the dossier stay as they
are; the desk confirms the paper that proves the payment.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from contracts.dossier import (
    DeadlineExtended,
    ExtensionKind,
    FinancialObligationMet,
    FinancialObligationRequested,
    Step,
)
from contracts.refusal import Refusal
from services.dossier.processing.domain import Act, Actor, Dossier, allowed, envelope, move, person
from services.dossier.processing.work.domain import own_work
from services.dossier.processing.workflow.domain import Flow, begin


class EvidenceMissing(Refusal):
    """The payment is proved by a paper with a number."""

    status = 422
    title = "Phải ghi số chứng từ nộp tiền"
    title_en = "Give the number of the proof of payment"


@dataclass(frozen=True, slots=True)
class Obligation:
    """What is to be paid, by which law, by whose notice."""

    purpose: str
    legal_basis: str
    amount: int | None = None
    """Whole đồng; None where the notice says it."""


def request_obligation(
    dossier: Dossier, by: Actor, now: datetime, owed: Obligation, *, pauses: bool
) -> tuple[Dossier, FinancialObligationRequested]:
    """The applicant has to pay before the work goes on (D24); `pauses`: the appointment's clock stands meanwhile."""
    own_work(dossier, Act.REQUEST_OBLIGATION, by)
    moved = move(dossier, Act.REQUEST_OBLIGATION, by, now, owed.purpose)
    moved = replace(moved, step_due_at=None, step_began=True)
    said = FinancialObligationRequested(
        **envelope(moved, now), unit=dossier.current_unit, officer_ref=person(by), purpose=owed.purpose,
        legal_basis=owed.legal_basis, amount=owed.amount, clock_paused=pauses,
    )  # fmt: skip
    return moved, said


def confirm_obligation(
    dossier: Dossier, by: Actor, now: datetime, evidence: str, flow: Flow, due_at: datetime | None = None
) -> tuple[Dossier, *tuple[FinancialObligationMet | DeadlineExtended, ...]]:
    """The proof of payment was seen: the work goes on (D25). `due_at`: the appointment of a clock that stood."""
    allowed(dossier, Act.CONFIRM_OBLIGATION, by)
    if not evidence.strip():
        raise EvidenceMissing
    moved = move(dossier, Act.CONFIRM_OBLIGATION, by, now, evidence)
    later, extended = _run_on(moved, now, due_at)
    met = FinancialObligationMet(
        **envelope(moved, now), unit=by.unit or dossier.current_unit, officer_ref=person(by),
        measured_until=later.original_due_at,
    )  # fmt: skip
    said: tuple[FinancialObligationMet | DeadlineExtended, ...] = (met, *extended)
    return begin(later, Step.SPECIALIST, flow, now, anew=True), *said


def _run_on(dossier: Dossier, now: datetime, due_at: datetime | None) -> tuple[Dossier, tuple[DeadlineExtended, ...]]:
    """The appointment moves by the time that its clock stood: by law, so lateness is measured against the new one."""
    old, first = dossier.due_at, dossier.original_due_at
    if due_at is None or old is None or first is None or due_at <= old:
        return dossier, ()
    moved = replace(dossier, due_at=due_at, original_due_at=first + (due_at - old), version=dossier.version + 1)
    said = DeadlineExtended(
        **envelope(moved, now), kind=ExtensionKind.BY_LAW, original_due_at=first, old_due_at=old, new_due_at=due_at,
        reason="Thời gian thực hiện nghĩa vụ tài chính không tính vào thời hạn giải quyết",
    )  # fmt: skip
    return moved, (said,)

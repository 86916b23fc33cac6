"""What a dossier costs, how it gets paid, and what proves it. Amounts are whole đồng.

Every act takes a bill and returns the bill as it is afterwards, followed by what has to be said about it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from contracts.dossier import DossierAwaitingPayment, DossierSubmitted, OwnerLinked
from contracts.money import FeeKind, FeeLine, FeeTiming
from contracts.payment import FeePaid, FeeRequested, FeeWaived, PaymentEvent, PaymentMethod, ReceiptIssued
from contracts.refusal import Refusal
from services.payment.ledger.domain import OWED_BACK, REVERSED, Entry, Movement, Posting, held_by
from services.payment.receipts.domain import RECEIPT_KINDS, Receipt, ReceiptNumber

ATTEMPT_LIFE = timedelta(minutes=15)


class AssessmentState(StrEnum):
    REQUESTED = "requested"
    PAID = "paid"
    WAIVED = "waived"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"


class AttemptState(StrEnum):
    CREATED = "created"
    """Kept, and about to be asked for at the provider."""
    REDIRECTED = "redirected"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


TRANSITIONS: Mapping[str, Mapping[tuple[StrEnum, StrEnum], str]] = {
    "FeeAssessment": {
        (AssessmentState.REQUESTED, AssessmentState.PAID): "the first attempt that succeeds",
        (AssessmentState.REQUESTED, AssessmentState.CANCELLED): "priced anew, or the dossier is over",
        (AssessmentState.REQUESTED, AssessmentState.WAIVED): "an officer with that right lifts it",
        (AssessmentState.PAID, AssessmentState.REFUNDED): "the money went back, by two persons",
    },
    "PaymentAttempt": {
        (AttemptState.CREATED, AttemptState.REDIRECTED): "the provider knows of it",
        (AttemptState.CREATED, AttemptState.SUCCEEDED): "the provider's news overtook its own answer, or cash",
        (AttemptState.CREATED, AttemptState.FAILED): "the provider refused it",
        (AttemptState.CREATED, AttemptState.CANCELLED): "the payer gave up at the provider",
        (AttemptState.CREATED, AttemptState.EXPIRED): "its time is over without news",
        (AttemptState.REDIRECTED, AttemptState.SUCCEEDED): "the provider has the money",
        (AttemptState.REDIRECTED, AttemptState.FAILED): "the provider could not take the money",
        (AttemptState.REDIRECTED, AttemptState.CANCELLED): "the payer gave up at the provider",
        (AttemptState.REDIRECTED, AttemptState.EXPIRED): "its time is over without news",
    },
}


OPEN_ATTEMPTS = (AttemptState.CREATED, AttemptState.REDIRECTED)


class NothingToPay(Refusal):
    """Nothing is owed: it was paid, it costs nothing, or the dossier is over."""

    title = "Hồ sơ này hiện không có khoản nào phải nộp"
    title_en = "Nothing is owed on this dossier"


@dataclass(frozen=True, slots=True)
class FeeAssessment:
    """Lines that were priced and asked for together. They never change: they are what the payer agreed to."""

    id: UUID
    timing: FeeTiming
    lines: tuple[FeeLine, ...]
    due_at: datetime | None
    state: AssessmentState = AssessmentState.REQUESTED

    @property
    def amount(self) -> int:
        return sum(line.amount for line in self.lines)

    def becomes(self, to: AssessmentState) -> "FeeAssessment":
        _check("FeeAssessment", self.state, to)
        return replace(self, state=to)

    def by_kind(self) -> dict[FeeKind, int]:
        """The sum of each kind of money on it."""
        kinds = dict.fromkeys(line.kind for line in self.lines if line.amount)
        return {kind: sum(line.amount for line in self.lines if line.kind == kind) for kind in kinds}


@dataclass(frozen=True, slots=True)
class PaymentAttempt:
    """One try to pay one assessment. It blocks no other try."""

    id: UUID
    assessment_id: UUID
    provider: str
    reference: str
    """Our name for it at the provider; unique there."""
    amount: int
    created_at: datetime
    expires_at: datetime
    state: AttemptState = AttemptState.CREATED

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_ATTEMPTS

    def becomes(self, to: AttemptState) -> "PaymentAttempt":
        _check("PaymentAttempt", self.state, to)
        return replace(self, state=to)


def _check(machine: str, now: StrEnum, to: StrEnum) -> None:
    """A move that the table does not have is a mistake of ours: KeyError, and the transaction is undone."""
    TRANSITIONS[machine][now, to]


class Outcome(StrEnum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Report:
    """What a provider says became of an attempt, after its signature was checked."""

    provider: str
    reference: str
    outcome: Outcome
    amount: int
    transaction: str
    """The provider's number for the money that moved; empty when none did."""
    paid_at: datetime | None
    method: PaymentMethod = PaymentMethod.GATEWAY


@dataclass(frozen=True, slots=True)
class Capture:
    """Money that a provider took, as needed to give it back."""

    provider: str
    reference: str
    transaction: str
    amount: int
    started_at: datetime
    """When the attempt began."""


# What an act adds for ever. Such records are written once and never change.


class Surplus(StrEnum):
    """Why money that pays nothing has to go back."""

    PAID_TWICE = "paid_twice"
    TOO_LATE = "too_late"
    NOTHING_OWED = "nothing_owed"


@dataclass(frozen=True, slots=True)
class RefundCase:
    """Money that came and pays nothing: it goes back by itself, where the provider can."""

    id: UUID
    assessment_id: UUID
    attempt_id: UUID
    provider: str
    transaction: str
    amount: int
    reason: Surplus
    opened_at: datetime


Record = Posting | Receipt | RefundCase


@dataclass(frozen=True, slots=True)
class Bill:
    """Everything asked and paid for one dossier."""

    dossier_code: str
    version: int = 0
    """How many events were said about this dossier's money."""
    over: bool = False
    """The dossier ended without a result: nothing more is owed."""
    unit: str | None = None
    owner_ref: UUID | None = None
    submitter_ref: UUID | None = None
    assessments: tuple[FeeAssessment, ...] = ()
    attempts: tuple[PaymentAttempt, ...] = ()
    """Those that the act at hand is about."""
    booked: frozenset[tuple[str, str]] = frozenset()
    """Money already in the ledger: (provider, transaction)."""
    records: tuple[Record, ...] = ()
    """What the act at hand adds."""

    @property
    def living(self) -> tuple[FeeAssessment, ...]:
        return tuple(a for a in self.assessments if a.state is not AssessmentState.CANCELLED)

    @property
    def open(self) -> tuple[FeeAssessment, ...]:
        return tuple(a for a in self.assessments if a.state is AssessmentState.REQUESTED)

    def attempt(self, reference: str) -> PaymentAttempt:
        return next(a for a in self.attempts if a.reference == reference)

    def assessment(self, assessment_id: UUID) -> FeeAssessment:
        return next(a for a in self.assessments if a.id == assessment_id)


Act = tuple[Bill, *tuple[PaymentEvent, ...]]
"""The bill afterwards, and what has to be said."""


# What the dossier tells us.


def introduce(bill: Bill, filing: DossierAwaitingPayment | DossierSubmitted | OwnerLinked) -> Bill:
    """Whose dossier it is, and which unit collects."""
    unit = bill.unit if isinstance(filing, OwnerLinked) else filing.receiving_unit
    return replace(bill, unit=unit, owner_ref=filing.owner_ref, submitter_ref=filing.submitter_ref)


def request(bill: Bill, new: FeeAssessment, now: datetime) -> Act:
    """Ask for these lines, once. Hearing them again asks for nothing; other lines replace what is unpaid."""
    same_timing = [a for a in bill.living if a.timing == new.timing]
    if bill.over or not new.amount or any(_settles(old, new) for old in same_timing):
        return (bill,)
    asked = replace(_cancel(bill, same_timing), version=bill.version + 1)
    requested = FeeRequested(
        version=asked.version,
        occurred_at=now,
        dossier_code=bill.dossier_code,
        assessment_id=new.id,
        lines=new.lines,
        amount=new.amount,
        due_at=new.due_at,
        timing=new.timing,
    )
    return replace(asked, assessments=(*asked.assessments, new)), requested


def end(bill: Bill) -> Act:
    """The dossier is over: what is unpaid is no longer owed, and money still on its way will go back."""
    return (replace(_cancel(bill, bill.open), over=True),)


def _cancel(bill: Bill, assessments: Iterable[FeeAssessment]) -> Bill:
    for assessment in assessments:
        bill = change(bill, assessment=assessment.becomes(AssessmentState.CANCELLED))
    return bill


def _settles(old: FeeAssessment, new: FeeAssessment) -> bool:
    """What was paid is not asked for a second time, and the same lines are not a new request."""
    return old.state is not AssessmentState.REQUESTED or old.lines == new.lines


# What the payer does.


def start_attempt(
    bill: Bill, attempt_id: UUID, provider: str, reference: str, now: datetime, life: timedelta = ATTEMPT_LIFE
) -> tuple[Bill, PaymentAttempt]:
    """Try to pay what has been owed longest."""
    if not bill.open:
        raise NothingToPay
    owed = bill.open[0]
    until = now + life
    attempt = PaymentAttempt(attempt_id, owed.id, provider, reference, owed.amount, now, until)
    return replace(bill, attempts=(attempt,)), attempt


def redirected(bill: Bill, reference: str) -> Bill:
    """The provider waits for the payer, unless its news was quicker than its answer."""
    attempt = bill.attempt(reference)
    if attempt.state is not AttemptState.CREATED:
        return bill
    return change(bill, attempt=attempt.becomes(AttemptState.REDIRECTED))


def refused(bill: Bill, reference: str) -> Bill:
    """The provider will not ask the payer at all."""
    attempt = bill.attempt(reference)
    return change(bill, attempt=attempt.becomes(AttemptState.FAILED)) if attempt.is_open else bill


def expire(bill: Bill, reference: str) -> Act:
    """Its time is over. Whatever the provider says later, this attempt pays nothing any more."""
    attempt = bill.attempt(reference)
    return (change(bill, attempt=attempt.becomes(AttemptState.EXPIRED)),) if attempt.is_open else (bill,)


def waive(
    bill: Bill, assessment_id: UUID, officer_ref: UUID, reason: str, document_ref: str | None, now: datetime
) -> tuple[Bill, FeeWaived]:
    """An officer with that right lifts what is owed (miễn phí, lệ phí), with the ground of exemption."""
    assessment = next((a for a in bill.open if a.id == assessment_id), None)
    if assessment is None:
        raise NothingToPay
    said = FeeWaived(
        version=bill.version + 1,
        occurred_at=now,
        dossier_code=bill.dossier_code,
        assessment_id=assessment.id,
        amount=assessment.amount,
        reason=reason,
        document_ref=document_ref,
        officer_ref=officer_ref,
    )
    waived = change(bill, assessment=assessment.becomes(AssessmentState.WAIVED))
    return replace(waived, version=said.version), said


# What the provider says.


class Verdict(StrEnum):
    """What a report means for us."""

    PAYS = "pays"
    OWED_BACK = "owed_back"
    NOT_PAID = "not_paid"
    KNOWN_ALREADY = "known_already"
    WRONG_AMOUNT = "wrong_amount"
    UNKNOWN_ATTEMPT = "unknown_attempt"


def judge(bill: Bill, report: Report) -> Verdict:
    """The first success pays; money that comes after it, or too late, is owed back."""
    attempt = bill.attempt(report.reference)
    if (report.provider, report.transaction) in bill.booked:
        return Verdict.KNOWN_ALREADY
    if report.amount != attempt.amount:
        return Verdict.WRONG_AMOUNT
    if report.outcome is not Outcome.SUCCEEDED:
        return Verdict.NOT_PAID if attempt.is_open else Verdict.KNOWN_ALREADY
    owed = bill.assessment(attempt.assessment_id).state is AssessmentState.REQUESTED
    return Verdict.PAYS if owed and attempt.is_open else Verdict.OWED_BACK


def pay(bill: Bill, report: Report, numbers: Iterable[ReceiptNumber], now: datetime) -> Act:
    """The money is there: attempt, assessment, ledger and receipts change together."""
    attempt = bill.attempt(report.reference)
    assessment = bill.assessment(attempt.assessment_id)
    receipts = tuple(_receipt(assessment, attempt, number, now) for number in numbers)
    news = _news(bill, attempt, report, receipts, now)
    earned = (Entry(kind, -amount) for kind, amount in assessment.by_kind().items())
    changed = change(
        bill,
        attempt=attempt.becomes(AttemptState.SUCCEEDED),
        assessment=assessment.becomes(AssessmentState.PAID),
    )
    records: tuple[Record, ...] = (_posting(attempt, report, now, earned, pays=True), *receipts)
    return replace(changed, version=news[-1].version, records=records), *news


def owe_back(bill: Bill, report: Report, refund_id: UUID, now: datetime) -> Act:
    """The provider has money that pays nothing: book it as owed back, and let it go back."""
    attempt = bill.attempt(report.reference)
    posting = _posting(attempt, report, now, [Entry(OWED_BACK, -report.amount)], pays=False)
    reason = _why_back(bill, attempt)
    case = RefundCase(
        refund_id, attempt.assessment_id, attempt.id, report.provider, report.transaction, report.amount, reason, now
    )
    if attempt.is_open:
        bill = change(bill, attempt=attempt.becomes(AttemptState.SUCCEEDED))
    return (replace(bill, records=(posting, case)),)


def reverse(bill: Bill, reference: str, transaction: str, amount: int, moved_at: datetime) -> Bill:
    """The provider took back what it had captured. The fee stays as it is until a person decides."""
    attempt = bill.attempt(reference)
    entries = (Entry(REVERSED, amount), Entry(held_by(attempt.provider), -amount))
    posting = Posting(
        attempt.assessment_id, attempt.id, attempt.provider, transaction, moved_at, pays=False, entries=entries,
        movement=Movement.REVERSAL,
    )  # fmt: skip
    return replace(bill, records=(posting,))


def give_up(bill: Bill, report: Report) -> Act:
    """No money moved."""
    to = AttemptState.CANCELLED if report.outcome is Outcome.CANCELLED else AttemptState.FAILED
    return (change(bill, attempt=bill.attempt(report.reference).becomes(to)),)


def _why_back(bill: Bill, attempt: PaymentAttempt) -> Surplus:
    match bill.assessment(attempt.assessment_id).state:
        case AssessmentState.PAID | AssessmentState.REFUNDED:
            return Surplus.PAID_TWICE
        case AssessmentState.CANCELLED | AssessmentState.WAIVED:
            return Surplus.NOTHING_OWED
        case AssessmentState.REQUESTED:
            return Surplus.TOO_LATE


def _posting(attempt: PaymentAttempt, report: Report, now: datetime, credit: Iterable[Entry], *, pays: bool) -> Posting:
    return Posting(
        assessment_id=attempt.assessment_id,
        attempt_id=attempt.id,
        provider=report.provider,
        transaction=report.transaction,
        moved_at=report.paid_at or now,
        pays=pays,
        entries=(Entry(held_by(report.provider), report.amount), *credit),
        movement=Movement.CAPTURE,
    )


def _news(
    bill: Bill, attempt: PaymentAttempt, report: Report, receipts: Iterable[Receipt], now: datetime
) -> list[PaymentEvent]:
    paid = FeePaid(
        version=bill.version + 1,
        occurred_at=now,
        dossier_code=bill.dossier_code,
        assessment_id=attempt.assessment_id,
        attempt_id=attempt.id,
        amount=report.amount,
        method=report.method,
        provider=report.provider,
        provider_txn=report.transaction,
        paid_at=report.paid_at or now,
    )
    return [paid, *(_issued(bill, receipt, paid.version + n) for n, receipt in enumerate(receipts, start=1))]


# What proves it.


def receipt_kinds(bill: Bill, report: Report) -> list[FeeKind]:
    """The receipts that this payment needs: one for charges (phí), one for fees (lệ phí)."""
    paid = bill.assessment(bill.attempt(report.reference).assessment_id).by_kind()
    return [kind for kind in RECEIPT_KINDS if kind in paid]


def _receipt(assessment: FeeAssessment, attempt: PaymentAttempt, number: ReceiptNumber, now: datetime) -> Receipt:
    lines = tuple(line for line in assessment.lines if line.kind == number.kind)
    return Receipt(number, assessment.id, attempt.id, lines, sum(line.amount for line in lines), now)


def _issued(bill: Bill, receipt: Receipt, version: int) -> ReceiptIssued:
    number = receipt.number
    return ReceiptIssued(
        version=version,
        occurred_at=receipt.issued_at,
        dossier_code=bill.dossier_code,
        assessment_id=receipt.assessment_id,
        receipt_no=str(number),
        form_symbol=number.form_symbol,
        symbol=number.symbol,
        year=number.year,
        kind=number.kind,
        amount=receipt.amount,
        issued_at=receipt.issued_at,
        receipt_ref=number.ref,
    )


def change(bill: Bill, *, assessment: FeeAssessment | None = None, attempt: PaymentAttempt | None = None) -> Bill:
    """The bill with these in place of the ones with the same id."""
    return replace(
        bill,
        assessments=tuple(assessment if assessment and a.id == assessment.id else a for a in bill.assessments),
        attempts=tuple(attempt if attempt and a.id == attempt.id else a for a in bill.attempts),
    )

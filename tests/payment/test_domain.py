"""The rules of paying, in sentences."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from contracts.money import FeeKind, FeeLine, FeeTiming
from contracts.payment import FeePaid, FeeRequested, PaymentEvent, ReceiptIssued
from services.payment import domain
from services.payment.domain import (
    AssessmentState,
    AttemptState,
    Bill,
    FeeAssessment,
    NothingToPay,
    Outcome,
    RefundCase,
    Report,
    Surplus,
    Verdict,
)
from services.payment.ledger.domain import Posting
from services.payment.receipts import domain as numbering
from services.payment.receipts.domain import Receipt, ReceiptNumber

CODE = "H99.02.01-261122-0001"
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
COPIES = FeeLine(
    kind=FeeKind.LE_PHI, code="LP-TRICH-LUC", name="Bản sao trích lục", unit_price=8_000, quantity=2, amount=16_000
)
SEARCH = FeeLine(kind=FeeKind.PHI, code="P-TRA-CUU", name="Tra cứu sổ gốc", unit_price=5_000, amount=5_000)
POSTAGE = FeeLine(kind=FeeKind.DICH_VU, code="BCCI", name="Cước bưu chính", unit_price=30_000, amount=30_000)
EXEMPT = FeeLine(
    kind=FeeKind.PHI, code="P-TRA-CUU", name="Tra cứu sổ gốc", unit_price=5_000, amount=0, exempt_reason="Hộ nghèo"
)


def fees(*lines: FeeLine, n: int = 1, timing: FeeTiming = FeeTiming.AT_ACCEPTANCE) -> FeeAssessment:
    return FeeAssessment(UUID(int=n), timing, lines, due_at=None)


def asked(*lines: FeeLine) -> Bill:
    """A bill with one request to pay."""
    return domain.request(Bill(CODE), fees(*lines), NOW)[0]


def tried(bill: Bill, n: int = 1) -> tuple[Bill, str]:
    bill, attempt = domain.start_attempt(bill, UUID(int=n), "vnpay", UUID(int=n).hex, NOW)
    return bill, attempt.reference


def success(reference: str, amount: int = 16_000, transaction: str = "14226112") -> Report:
    return Report("vnpay", reference, Outcome.SUCCEEDED, amount, transaction, NOW)


def number(kind: FeeKind, n: int = 1) -> ReceiptNumber:
    return ReceiptNumber(kind, "01BLP0-001", numbering.symbol("LA", 2026), 2026, n)


def paid(bill: Bill, report: Report) -> tuple[Bill, tuple[PaymentEvent, ...]]:
    numbers = [number(kind) for kind in domain.receipt_kinds(bill, report)]
    after, *news = domain.pay(bill, report, numbers, NOW)
    return after, tuple(news)


# Asking.


def test_fee_lines_become_one_request_for_their_sum() -> None:
    bill, *news = domain.request(Bill(CODE), fees(COPIES, SEARCH), NOW)

    (requested,) = news
    assert isinstance(requested, FeeRequested)
    assert requested.amount == 21_000
    assert requested.version == bill.version == 1


def test_the_same_lines_are_asked_for_once() -> None:
    bill = asked(COPIES)

    assert domain.request(bill, fees(COPIES, n=2), NOW) == (bill,)


def test_other_lines_replace_what_is_not_paid_yet() -> None:
    bill, *news = domain.request(asked(COPIES), fees(COPIES, SEARCH, n=2), NOW)

    assert [a.state for a in bill.assessments] == [AssessmentState.CANCELLED, AssessmentState.REQUESTED]
    assert [event.version for event in news] == [2]


def test_what_was_paid_is_not_asked_for_again() -> None:
    bill, reference = tried(asked(COPIES))
    bill, _ = paid(bill, success(reference))

    assert domain.request(bill, fees(COPIES, SEARCH, n=2), NOW) == (bill,)


def test_another_timing_is_another_request() -> None:
    bill, *news = domain.request(asked(COPIES), fees(SEARCH, n=2, timing=FeeTiming.AT_RESULT), NOW)

    assert len(bill.open) == 2
    assert len(news) == 1


@pytest.mark.parametrize("lines", [(), (EXEMPT,)])
def test_nothing_owed_is_nothing_asked(lines: tuple[FeeLine, ...]) -> None:
    assert domain.request(Bill(CODE), fees(*lines), NOW) == (Bill(CODE),)


def test_a_dossier_that_is_over_owes_nothing_more() -> None:
    bill = domain.end(asked(COPIES))[0]

    assert bill.open == ()
    assert domain.request(bill, fees(SEARCH, n=2), NOW) == (bill,)
    with pytest.raises(NothingToPay):
        domain.start_attempt(bill, UUID(int=1), "vnpay", UUID(int=1).hex, NOW)


# Trying.


def test_an_attempt_lives_fifteen_minutes_and_blocks_no_other() -> None:
    bill = asked(COPIES)

    _, first = domain.start_attempt(bill, UUID(int=1), "vnpay", UUID(int=1).hex, NOW)
    _, second = domain.start_attempt(bill, UUID(int=2), "vnpay", UUID(int=2).hex, NOW)

    assert first.expires_at == NOW + timedelta(minutes=15)
    assert first.reference != second.reference


def test_nothing_can_be_paid_before_it_is_asked_for() -> None:
    with pytest.raises(NothingToPay):
        domain.start_attempt(Bill(CODE), UUID(int=1), "vnpay", UUID(int=1).hex, NOW)


def test_an_attempt_without_news_expires_but_a_finished_one_does_not() -> None:
    bill, reference = tried(asked(COPIES))
    done, _ = paid(bill, success(reference))

    expired = domain.expire(bill, reference)[0]

    assert expired.attempt(reference).state is AttemptState.EXPIRED
    assert domain.expire(done, reference) == (done,)


# Paying.


def test_the_first_success_pays() -> None:
    bill, reference = tried(asked(COPIES))
    assert domain.judge(bill, success(reference)) is Verdict.PAYS

    bill, (fee_paid, receipt) = paid(bill, success(reference))

    assert bill.attempt(reference).state is AttemptState.SUCCEEDED
    assert bill.assessments[0].state is AssessmentState.PAID
    assert isinstance(fee_paid, FeePaid)
    assert (fee_paid.version, fee_paid.amount, fee_paid.outstanding) == (2, 16_000, 0)
    assert isinstance(receipt, ReceiptIssued)
    assert (receipt.version, receipt.receipt_no, receipt.symbol) == (3, "0000001", "LA-26E")
    assert bill.version == 3


def test_charges_and_fees_get_separate_receipts_and_postage_gets_none() -> None:
    bill, reference = tried(asked(COPIES, SEARCH, POSTAGE))

    bill, news = paid(bill, success(reference, 51_000))

    receipts = [r for r in bill.records if isinstance(r, Receipt)]
    assert [(r.number.kind, r.amount) for r in receipts] == [(FeeKind.PHI, 5_000), (FeeKind.LE_PHI, 16_000)]
    assert [event.version for event in news] == [2, 3, 4]


def test_every_posting_adds_up_to_zero() -> None:
    bill, reference = tried(asked(COPIES, SEARCH, POSTAGE))

    bill, _ = paid(bill, success(reference, 51_000))

    (posting,) = [r for r in bill.records if isinstance(r, Posting)]
    assert {e.account: e.amount for e in posting.entries} == {
        "provider:vnpay": 51_000,
        "le_phi": -16_000,
        "phi": -5_000,
        "dich_vu": -30_000,
    }


def test_hearing_of_the_same_money_again_changes_nothing() -> None:
    bill, reference = tried(asked(COPIES))
    bill, _ = paid(bill, success(reference))
    bill = replace(bill, booked=frozenset({("vnpay", "14226112")}), records=())

    assert domain.judge(bill, success(reference)) is Verdict.KNOWN_ALREADY


def test_a_second_payment_of_the_same_fee_is_owed_back() -> None:
    bill, reference = tried(asked(COPIES))
    bill, _ = paid(bill, success(reference))
    again = replace(bill, attempts=(replace(bill.attempts[0], state=AttemptState.REDIRECTED),), records=())
    report = success(reference, transaction="14226113")
    assert domain.judge(again, report) is Verdict.OWED_BACK

    after = domain.owe_back(again, report, UUID(int=99), NOW)[0]

    posting, case = after.records
    assert isinstance(posting, Posting)
    assert sum(e.amount for e in posting.entries) == 0
    assert isinstance(case, RefundCase)
    assert (case.reason, case.amount) == (Surplus.PAID_TWICE, 16_000)
    assert after.version == bill.version


def test_money_that_comes_after_the_attempt_expired_is_owed_back() -> None:
    bill, reference = tried(asked(COPIES))
    bill = domain.expire(bill, reference)[0]
    assert domain.judge(bill, success(reference)) is Verdict.OWED_BACK

    after = domain.owe_back(bill, success(reference), UUID(int=99), NOW)[0]

    assert after.attempt(reference).state is AttemptState.EXPIRED
    assert after.open, "the fee itself is still to be paid"
    assert [r.reason for r in after.records if isinstance(r, RefundCase)] == [Surplus.TOO_LATE]


def test_money_for_a_dossier_that_is_over_is_owed_back() -> None:
    bill, reference = tried(asked(COPIES))
    bill = domain.end(bill)[0]
    assert domain.judge(bill, success(reference)) is Verdict.OWED_BACK

    after = domain.owe_back(bill, success(reference), UUID(int=99), NOW)[0]

    assert [r.reason for r in after.records if isinstance(r, RefundCase)] == [Surplus.NOTHING_OWED]


def test_another_amount_than_ours_pays_nothing() -> None:
    bill, reference = tried(asked(COPIES))

    assert domain.judge(bill, success(reference, 15_999)) is Verdict.WRONG_AMOUNT


@pytest.mark.parametrize(
    ("outcome", "state"),
    [(Outcome.FAILED, AttemptState.FAILED), (Outcome.CANCELLED, AttemptState.CANCELLED)],
)
def test_an_attempt_that_did_not_work_is_recorded_and_the_fee_stays_open(outcome: Outcome, state: AttemptState) -> None:
    bill, reference = tried(asked(COPIES))
    report = Report("vnpay", reference, outcome, 16_000, "", None)
    assert domain.judge(bill, report) is Verdict.NOT_PAID

    bill = domain.give_up(bill, report)[0]

    assert bill.attempt(reference).state is state
    assert bill.open
    assert domain.judge(bill, report) is Verdict.KNOWN_ALREADY


def test_a_move_that_the_table_does_not_have_is_impossible() -> None:
    done = replace(fees(COPIES), state=AssessmentState.PAID)

    with pytest.raises(KeyError):
        done.becomes(AssessmentState.CANCELLED)


# Numbering.


@pytest.mark.parametrize(
    ("now", "year"),
    [
        (datetime(2026, 12, 31, 16, 59, 59, tzinfo=UTC), 2026),
        (datetime(2026, 12, 31, 17, 0, 0, tzinfo=UTC), 2027),
    ],
)
def test_the_year_of_a_receipt_begins_at_midnight_in_viet_nam(now: datetime, year: int) -> None:
    assert numbering.local_year(now) == year


def test_a_receipt_number_has_seven_digits_and_its_series_the_year() -> None:
    assert str(number(FeeKind.PHI, 42)) == "0000042"
    assert numbering.symbol("PA", 2027) == "PA-27E"

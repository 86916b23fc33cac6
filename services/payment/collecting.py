"""What news of money does, wherever it comes from: a call, an answer, a statement, the cashier.

However often and in whatever order it is told, money counts once.
"""

from collections.abc import Iterable
from datetime import datetime

import structlog
from prometheus_client import Counter

from contracts.money import FeeKind
from kit import ids
from kit.db import Connection
from kit.settings import load
from services.payment import domain, store
from services.payment.domain import Bill, Outcome, Report, Verdict
from services.payment.receipts import domain as numbering
from services.payment.receipts.domain import ReceiptNumber
from services.payment.reconciliation import store as reviews
from services.payment.reconciliation.domain import Kind
from services.payment.settings import PaymentSettings

log = structlog.get_logger()
REFUNDS = Counter("motcua_payment_refund_cases_total", "Money that came and has to go back", ["provider"])


async def settle(tx: Connection, report: Report, now: datetime) -> Verdict:
    """Do what a report means, in the caller's transaction."""
    bill = await store.lock_attempt(tx, report.provider, report.reference)
    if bill is None:
        return Verdict.UNKNOWN_ATTEMPT
    match verdict := domain.judge(bill, report):
        case Verdict.PAYS:
            await pay(tx, bill, report, now)
        case Verdict.OWED_BACK:
            await store.save(tx, *domain.owe_back(bill, report, ids.new(), now))
            REFUNDS.labels(report.provider).inc()
            log.warning("refund.opened", provider=report.provider)
        case Verdict.NOT_PAID:
            await store.save(tx, *domain.give_up(bill, report))
        case Verdict.WRONG_AMOUNT if report.outcome is Outcome.SUCCEEDED:
            await _review(tx, bill, report, now)
    return verdict


async def pay(tx: Connection, bill: Bill, report: Report, now: datetime) -> Bill:
    """The money settles what is owed: ledger, receipts and events together; the bill afterwards."""
    numbers = await _take_numbers(tx, domain.receipt_kinds(bill, report), numbering.local_year(now))
    paid, *news = domain.pay(bill, report, numbers, now)
    await store.save(tx, paid, *news)
    return paid


async def _take_numbers(tx: Connection, kinds: Iterable[FeeKind], year: int) -> list[ReceiptNumber]:
    """One number for each receipt. Last of all locks, because every payment of the province wants it."""
    settings = load(PaymentSettings)
    numbers = []
    for kind in kinds:
        symbol = numbering.symbol(settings.receipt_letters[kind], year)
        number = await store.take_number(tx, symbol, year)
        numbers.append(ReceiptNumber(kind, settings.receipt_form, symbol, year, number))
    return numbers


async def _review(tx: Connection, bill: Bill, report: Report, now: datetime) -> None:
    """Somebody really paid another amount than was asked: nothing is booked, a person looks."""
    attempt = bill.attempt(report.reference)
    await reviews.open_case(
        tx, Kind.AMOUNT_DIFFERS, report.provider, report.transaction, now, reference=report.reference,
        amount=report.amount, expected=attempt.amount, dossier_code=bill.dossier_code,
    )  # fmt: skip

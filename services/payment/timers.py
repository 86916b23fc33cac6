"""Time in: what happens when a deadline passes, and what has to be asked, made and sent meanwhile."""

from datetime import datetime, timedelta
from uuid import UUID

import structlog

from kit import files
from kit import timers as clockwork
from kit.clock import now
from kit.db import Connection, Database
from kit.settings import load
from kit.timers import Timer, Timers
from services.payment import collecting, domain, store
from services.payment.domain import AttemptState, PaymentAttempt, Verdict
from services.payment.providers import Away, Declined, Unsupported
from services.payment.providers.registry import providers
from services.payment.receipts import making
from services.payment.receipts import store as receipts
from services.payment.reconciliation import fetching, matching
from services.payment.reconciliation.domain import StatementUnreadable
from services.payment.reconciliation.fetching import FETCH
from services.payment.reconciliation.store import RECONCILE
from services.payment.refunds import api as refunds
from services.payment.refunds import domain as refunding
from services.payment.refunds import store as refund_store
from services.payment.refunds.domain import Refund
from services.payment.settings import PaymentSettings
from services.payment.store import RECEIPT_FILE, REFUND

EXPIRY = "attempt.expiry"
QUESTION = "attempt.question"
"""The job that asks a provider what became of an attempt."""

SOON = tuple(timedelta(minutes=minutes) for minutes in (2, 5, 10, 16, 30, 60, 240))
"""When a silent provider is asked, counted from the beginning of the attempt."""
DAYS = 7
"""For so many days it is then asked daily: money may still be on its way."""
FETCHES = 12
"""How often one statement is tried before the next one's turn."""
WANTED = (AttemptState.CREATED, AttemptState.REDIRECTED, AttemptState.EXPIRED)

log = structlog.get_logger()
timers = Timers()


@timers.due(EXPIRY)
async def expire(tx: Connection, timer: Timer) -> None:
    """No news of an attempt within its life: it is over."""
    bill = await store.lock_attempt(tx, timer.payload["provider"], timer.key)
    if bill:
        await store.save(tx, *domain.expire(bill, timer.key))


async def plan_question(tx: Connection, attempt: PaymentAttempt, *, asked: int, now: datetime) -> None:
    """The next question about an attempt, fast at first, then daily; none after a week."""
    if asked < len(SOON):
        at = attempt.created_at + SOON[asked]
    elif asked < len(SOON) + DAYS:
        at = attempt.created_at + timedelta(days=asked - len(SOON) + 1)
    else:
        return
    payload = {"provider": attempt.provider, "asked": asked}
    await clockwork.schedule(tx, QUESTION, attempt.reference, max(at, now), payload)


@timers.job(QUESTION, attempts=5, lease=60)
async def ask(db: Database, job: Timer) -> None:
    """Ask a provider that says nothing: a lost call costs time, never money."""
    provider = providers().get(job.payload["provider"])
    attempt = await store.attempt_of(db, job.payload["provider"], job.key)
    if provider is None or attempt is None or attempt.state not in WANTED:
        return
    try:
        report = await provider.query(attempt)
    except Unsupported:
        return
    except Away as away:
        log.warning("provider.away", provider=provider.name, reason=str(away))
        report = None
    async with db.transaction() as tx:
        if report is None or await collecting.settle(tx, report, now()) is Verdict.UNKNOWN_ATTEMPT:
            await plan_question(tx, attempt, asked=job.payload["asked"] + 1, now=now())


@timers.job(REFUND, attempts=12, lease=60)
async def give_back(db: Database, job: Timer) -> None:
    """Ask the provider to give money back; its id makes a repetition harmless. Where it cannot, people do it."""
    refund = await refund_store.read(db, UUID(job.key))
    if not refund.is_for_provider:
        return
    transaction, why = await _ask_back(refund)
    async with db.transaction() as tx:
        await store.lock(tx, refund.dossier_code)
        refund = await refund_store.read(tx, refund.id)
        if not refund.is_for_provider:
            return
        if transaction:
            await refunds.finish(tx, refund, transaction, now())
        else:
            await refund_store.save(tx, refunding.leave_to_people(refund, why))


async def _ask_back(refund: Refund) -> tuple[str, str]:
    """The provider's number of the refund, or why a person has to make it. `Away` is raised: the job is repeated."""
    provider = providers().get(refund.capture.provider)
    try:
        if provider is None:
            raise Unsupported
        return (await provider.refund(refund.capture, refund.id)).transaction, ""
    except Unsupported:
        return "", "Phải hoàn bằng chuyển khoản hoặc tiền mặt"
    except Declined as no:
        log.error("refund.declined", provider=refund.capture.provider, reason=str(no))
        return "", f"Đơn vị thanh toán từ chối hoàn (mã {no})"


@timers.job(RECEIPT_FILE, attempts=30, lease=60)
async def make_receipt(db: Database, job: Timer) -> None:
    """The receipt's file, soon after the payment."""
    kept = await receipts.read(db, job.key)
    if kept:
        settings = load(PaymentSettings)
        await making.made(db, files.connect(settings), settings, kept)


@timers.job(FETCH, attempts=FETCHES, lease=120)
async def fetch_statement(db: Database, job: Timer) -> None:
    """A provider's statement, when its time has come; one that is away is asked again, and at last next time."""
    try:
        await fetching.fetch(db, job.key)
    except (Away, StatementUnreadable) as exc:
        if job.attempt < FETCHES:
            raise
        log.error("statement.not_fetched", provider=job.key, reason=str(exc))
        async with db.transaction() as tx:
            await fetching.plan(tx, job.key, now())


@timers.job(RECONCILE, attempts=12, lease=300)
async def reconcile(db: Database, job: Timer) -> None:
    """Compare an imported statement with the ledger, line by line; it goes on where it was interrupted."""
    await matching.compare(db, UUID(job.key))

"""Every SQL statement of this service, each above the function that runs it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from contracts.money import FeeLine, FeeTiming
from contracts.payment import PAYMENTS, FeeWaived, PaymentEvent, PaymentMethod
from kit import ids, outbox, timers
from kit.db import Connection, Database
from kit.problems import Forbidden, NotFound
from services.payment.domain import (
    AssessmentState,
    AttemptState,
    Bill,
    FeeAssessment,
    PaymentAttempt,
    Record,
    RefundCase,
)
from services.payment.ledger.domain import Entry, Posting
from services.payment.receipts.domain import Receipt

REFUND = "refund"
"""The job that asks a provider to give money back, keyed by the refund's id."""
RECEIPT_FILE = "receipt.file"
"""The job that makes a receipt's file, keyed by the receipt's reference."""

OPEN = "INSERT INTO bill (dossier_code, version, over) VALUES ($1, 0, false) ON CONFLICT DO NOTHING"


async def open_bill(tx: Connection, dossier_code: str) -> Bill:
    """The dossier's bill, locked; an empty one if this is the first we hear of it."""
    await tx.execute(OPEN, dossier_code)
    bill = await lock(tx, dossier_code)
    assert bill is not None  # noqa: S101 (it was just written)
    return bill


async def lock_for(tx: Connection, dossier_code: str, unit: str) -> Bill:
    """The bill, locked, for an officer of the unit that collects; NotFound or Forbidden otherwise."""
    bill = await lock(tx, dossier_code)
    if bill is None:
        raise NotFound
    if bill.unit != unit:
        raise Forbidden
    return bill


LOCK = """
SELECT dossier_code, version, over, unit, owner_ref, submitter_ref FROM bill WHERE dossier_code = $1 FOR UPDATE
"""


async def lock(tx: Connection, dossier_code: str) -> Bill | None:
    """The dossier's bill, to be changed: everybody else waits for the end of this transaction."""
    row = await tx.fetchrow(LOCK, dossier_code)
    if row is None:
        return None
    assessments, booked = await _assessments(tx, dossier_code), await _booked(tx, dossier_code)
    return Bill(**row, assessments=assessments, booked=booked)


DOSSIER_OF = """
SELECT dossier_code FROM attempt JOIN assessment ON assessment.id = assessment_id
WHERE provider = $1 AND reference = $2
"""
ATTEMPT = """
SELECT id, assessment_id, provider, reference, amount, created_at, expires_at, state FROM attempt
WHERE provider = $1 AND reference = $2
"""


async def lock_attempt(tx: Connection, provider: str, reference: str) -> Bill | None:
    """The bill that this attempt wants to pay, locked, with the attempt; None if there is no such attempt."""
    dossier_code = await tx.fetchval(DOSSIER_OF, provider, reference)
    bill = await lock(tx, dossier_code) if dossier_code else None
    row = await tx.fetchrow(ATTEMPT, provider, reference)  # after the lock: it may have changed meanwhile
    return replace(bill, attempts=(_attempt(row),)) if bill and row else None


ATTEMPT_BY_ID = """
SELECT id, assessment_id, provider, reference, amount, created_at, expires_at, state FROM attempt WHERE id = $1
"""


async def attempt(db: Database, attempt_id: UUID) -> PaymentAttempt | None:
    row = await db.fetchrow(ATTEMPT_BY_ID, attempt_id)
    return _attempt(row) if row else None


ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
IS_BOOKED = """
SELECT EXISTS (SELECT 1 FROM posting WHERE provider = $1 AND transaction = $2 AND movement = 'capture')
"""


async def is_booked(tx: Connection, provider: str, transaction: str) -> bool:
    """Whether this money is in the ledger, for whatever dossier; two who ask at once are told one after the other."""
    await tx.execute(ONE_AT_A_TIME, f"{provider} {transaction}")
    found: bool = await tx.fetchval(IS_BOOKED, provider, transaction)
    return found


CAPTURED = "SELECT EXISTS (SELECT 1 FROM posting WHERE attempt_id = $1 AND movement = 'capture')"


async def is_captured(tx: Connection, attempt: PaymentAttempt) -> bool:
    """Whether its money came."""
    found: bool = await tx.fetchval(CAPTURED, attempt.id)
    return found


async def attempt_of(db: Database, provider: str, reference: str) -> PaymentAttempt | None:
    """The attempt, to be looked at only."""
    row = await db.fetchrow(ATTEMPT, provider, reference)
    return _attempt(row) if row else None


WAIVED = "INSERT INTO waiver (assessment_id, officer_ref, reason, document_ref, at) VALUES ($1, $2, $3, $4, $5)"
CASHIERED = "INSERT INTO cashier_entry (attempt_id, cashier_ref, unit, method, at) VALUES ($1, $2, $3, $4, $5)"


async def keep_waiver(tx: Connection, assessment_id: UUID, officer: UUID, said: FeeWaived) -> None:
    """Who lifted the fee and why, for the inspection."""
    await tx.execute(WAIVED, assessment_id, officer, said.reason, said.document_ref, said.occurred_at)


async def keep_cashier(
    tx: Connection, attempt: PaymentAttempt, cashier: UUID, unit: str, method: PaymentMethod
) -> None:
    """Who took the money at the desk (I-P5)."""
    await tx.execute(CASHIERED, attempt.id, cashier, unit, method, attempt.created_at)


READ = "SELECT dossier_code, version, over, unit, owner_ref, submitter_ref FROM bill WHERE dossier_code = $1"
ASSESSMENTS = """
SELECT id, timing, lines, due_at, state FROM assessment WHERE dossier_code = $1 ORDER BY place
"""


async def read(db: Database, dossier_code: str) -> Bill | None:
    """The bill as it is, to be looked at only."""
    row = await db.fetchrow(READ, dossier_code)
    return Bill(**row, assessments=await _assessments(db, dossier_code)) if row else None


async def _assessments(db: Database | Connection, dossier_code: str) -> tuple[FeeAssessment, ...]:
    return tuple(_assessment(row) for row in await db.fetch(ASSESSMENTS, dossier_code))


BOOKED = "SELECT provider, transaction FROM posting WHERE dossier_code = $1 AND movement = 'capture'"


async def _booked(tx: Connection, dossier_code: str) -> frozenset[tuple[str, str]]:
    return frozenset((row["provider"], row["transaction"]) for row in await tx.fetch(BOOKED, dossier_code))


SAVE_BILL = """
UPDATE bill SET version = $2, over = $3, unit = $4, owner_ref = $5, submitter_ref = $6 WHERE dossier_code = $1
"""
SAVE_ASSESSMENT = """
INSERT INTO assessment (id, dossier_code, place, timing, lines, amount, due_at, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (id) DO UPDATE SET state = excluded.state
"""
SAVE_ATTEMPT = """
INSERT INTO attempt (id, assessment_id, provider, reference, amount, created_at, expires_at, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (id) DO UPDATE SET state = excluded.state
"""


async def save(tx: Connection, bill: Bill, *events: PaymentEvent) -> None:
    """The change and its news, together or not at all. The bill was locked in this transaction."""
    code = bill.dossier_code
    await tx.execute(SAVE_BILL, code, bill.version, bill.over, bill.unit, bill.owner_ref, bill.submitter_ref)
    for place, a in enumerate(bill.assessments, start=1):
        await tx.execute(SAVE_ASSESSMENT, a.id, code, place, a.timing, _plain(a.lines), a.amount, a.due_at, a.state)
    for t in bill.attempts:
        await tx.execute(
            SAVE_ATTEMPT, t.id, t.assessment_id, t.provider, t.reference, t.amount,
            t.created_at, t.expires_at, t.state,
        )  # fmt: skip
    for record in bill.records:
        await _add(tx, code, record)
    await outbox.record(tx, PAYMENTS, *events)


async def _add(tx: Connection, dossier_code: str, record: Record) -> None:
    match record:
        case Posting():
            await _post(tx, dossier_code, record)
        case Receipt():
            await _issue(tx, dossier_code, record)
        case RefundCase():
            await _open_case(tx, dossier_code, record)


POST = """
INSERT INTO posting
    (posting_id, dossier_code, assessment_id, attempt_id, provider, transaction, moved_at, pays, movement, amount)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
ENTER = "INSERT INTO ledger_entry (posting_id, account, amount) SELECT $1, * FROM unnest($2::text[], $3::bigint[])"


async def _post(tx: Connection, dossier_code: str, p: Posting) -> None:
    posting_id = ids.new()
    await tx.execute(
        POST, posting_id, dossier_code, p.assessment_id, p.attempt_id, p.provider, p.transaction,
        p.moved_at, p.pays, p.movement, p.amount,
    )  # fmt: skip
    await enter(tx, posting_id, p.entries)


async def enter(tx: Connection, posting_id: UUID, entries: Sequence[Entry]) -> None:
    """The sides of a posting; PostgreSQL refuses those that do not add up to zero."""
    await tx.execute(ENTER, posting_id, [entry.account for entry in entries], [entry.amount for entry in entries])


TAKE_NUMBER = """
INSERT INTO receipt_series (symbol, year, last) VALUES ($1, $2, 1)
ON CONFLICT (symbol, year) DO UPDATE SET last = receipt_series.last + 1
RETURNING last
"""


async def take_number(tx: Connection, symbol: str, year: int) -> int:
    """The next number of the series; it is given back if this transaction fails, so there is never a gap."""
    number: int = await tx.fetchval(TAKE_NUMBER, symbol, year)
    return number


ISSUE = """
INSERT INTO receipt
    (symbol, year, number, form_symbol, kind, dossier_code, assessment_id, attempt_id, lines, amount, issued_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""


async def _issue(tx: Connection, dossier_code: str, r: Receipt) -> None:
    n = r.number
    await tx.execute(
        ISSUE, n.symbol, n.year, n.number, n.form_symbol, n.kind, dossier_code, r.assessment_id,
        r.attempt_id, _plain(r.lines), r.amount, r.issued_at,
    )  # fmt: skip
    await timers.schedule(tx, RECEIPT_FILE, n.ref, r.issued_at)


OPEN_CASE = """
INSERT INTO refund_case
    (id, provider, transaction, dossier_code, attempt_id, assessment_id, amount, reason, opened_at, state, by_hand)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'approved', false)
"""


async def _open_case(tx: Connection, dossier_code: str, c: RefundCase) -> None:
    """It goes back by itself: whoever did not pay for anything need not ask."""
    await tx.execute(
        OPEN_CASE, c.id, c.provider, c.transaction, dossier_code, c.attempt_id, c.assessment_id, c.amount, c.reason,
        c.opened_at,
    )  # fmt: skip
    await timers.schedule(tx, REFUND, str(c.id), c.opened_at)


KEEP_CALL = "INSERT INTO provider_call (provider, fields, answer) VALUES ($1, $2, $3)"


async def keep_call(tx: Connection, provider: str, fields: dict[str, str], answer: str) -> None:
    """What a provider (or somebody who said so) sent, and what it was told."""
    await tx.execute(KEEP_CALL, provider, fields, answer)


def _plain(lines: Iterable[FeeLine]) -> list[dict[str, Any]]:
    return [line.model_dump(mode="json") for line in lines]


def lines(plain: list[dict[str, Any]]) -> tuple[FeeLine, ...]:
    return tuple(FeeLine.model_validate(line) for line in plain)


def _assessment(row: Any) -> FeeAssessment:
    state, timing = AssessmentState(row["state"]), FeeTiming(row["timing"])
    return FeeAssessment(row["id"], timing, lines(row["lines"]), row["due_at"], state)


def _attempt(row: Any) -> PaymentAttempt:
    return PaymentAttempt(**{**row, "state": AttemptState(row["state"])})

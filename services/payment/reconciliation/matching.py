"""Compares one statement with the ledger: what matches in one stroke, the rest line by line.

Each line is a transaction of its own and remembers its bucket, so an interrupted comparison goes on, and comparing
again changes nothing.
"""

from datetime import datetime
from uuid import UUID

import structlog

from kit.clock import now
from kit.db import Connection, Database
from services.payment import collecting
from services.payment import store as bills
from services.payment.domain import Outcome, Report, Verdict, reverse
from services.payment.ledger.domain import Movement
from services.payment.providers.registry import providers
from services.payment.reconciliation import store
from services.payment.reconciliation.domain import Bucket, Kind, Line
from services.payment.reconciliation.store import Statement

AT_ONCE = 200
BUCKETS = {
    Verdict.PAYS: Bucket.FOUND,
    Verdict.OWED_BACK: Bucket.FOUND,
    Verdict.NOT_PAID: Bucket.FOUND,
    Verdict.KNOWN_ALREADY: Bucket.MATCHED,
    Verdict.WRONG_AMOUNT: Bucket.DIFFERS,
    Verdict.UNKNOWN_ATTEMPT: Bucket.THEIRS_ONLY,
}

log = structlog.get_logger()


async def compare(db: Database, statement_id: UUID) -> None:
    """Bring every line into its bucket, then look for what is ours only, then book what was paid out."""
    statement = await store.read(db, statement_id)
    if statement is None or statement.done_at:
        return
    await store.match(db, statement)
    while lines := await store.open_lines(db, statement_id, AT_ONCE):
        for line in lines:
            async with db.transaction() as tx:
                bucket = await _decide(tx, statement, line, now())
                await store.put(tx, statement_id, line, bucket)
    async with db.transaction() as tx:
        await _finish(tx, statement, now())
    log.info("statement.compared", provider=statement.provider, count=statement.lines)


async def _decide(tx: Connection, statement: Statement, line: Line, moment: datetime) -> Bucket:
    """What the line means for us; a line of money that we did not know is news like any other."""
    if line.movement is Movement.REVERSAL:
        return await _reverse(tx, statement, line, moment)
    bucket = Bucket.THEIRS_ONLY
    if line.movement is Movement.CAPTURE:
        bucket = BUCKETS[await collecting.settle(tx, _report(statement.provider, line), moment)]
    if bucket is Bucket.THEIRS_ONLY:
        await _review(tx, Kind.THEIRS_ONLY, statement, line, moment)
    return bucket


def _report(provider: str, line: Line) -> Report:
    known = providers().get(provider)
    method = {"method": known.method} if known else {}
    return Report(provider, line.reference, Outcome.SUCCEEDED, line.amount, line.transaction, line.moved_at, **method)


async def _reverse(tx: Connection, statement: Statement, line: Line, moment: datetime) -> Bucket:
    """Money that had come was taken back: booked, and shown to a person, who decides whether the fee is owed again."""
    bill = await bills.lock_attempt(tx, statement.provider, line.reference)
    if bill is None or not await bills.is_captured(tx, bill.attempt(line.reference)):
        await _review(tx, Kind.THEIRS_ONLY, statement, line, moment)
        return Bucket.THEIRS_ONLY
    await bills.save(tx, reverse(bill, line.reference, line.transaction, line.amount, line.moved_at))
    await _review(tx, Kind.REVERSED, statement, line, moment, code=bill.dossier_code)
    return Bucket.FOUND


async def _review(
    tx: Connection, kind: Kind, statement: Statement, line: Line, moment: datetime, code: str | None = None
) -> None:
    await store.open_case(
        tx, kind, statement.provider, line.transaction, moment, amount=line.amount, reference=line.reference,
        dossier_code=code,
    )  # fmt: skip


async def _finish(tx: Connection, statement: Statement, moment: datetime) -> None:
    for line, expected, code in await store.differing(tx, statement):
        await store.open_case(
            tx, Kind.AMOUNT_DIFFERS, statement.provider, line.transaction, moment, amount=line.amount,
            reference=line.reference, expected=expected, dossier_code=code,
        )  # fmt: skip
    for missing in await store.ours_only(tx, statement):
        await store.open_case(
            tx, Kind.OURS_ONLY, statement.provider, missing["transaction"], moment, amount=missing["amount"],
            reference=missing["reference"], dossier_code=missing["dossier_code"],
        )  # fmt: skip
    await store.settle(tx, statement, moment)
    await store.done(tx, statement.id, moment)

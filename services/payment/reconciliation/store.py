"""Statements, their lines, and what a person has to look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from kit import ids, timers
from kit.db import Connection, Database
from services.payment import store as bills
from services.payment.ledger.domain import BANK, Entry, Movement, held_by
from services.payment.reconciliation.domain import Bucket, Kind, Line, Period

RECONCILE = "statement.reconcile"
"""The job that compares one statement, keyed by its id."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a provider said about a period, and how far it is compared."""

    id: UUID
    provider: str
    file_name: str
    from_day: date
    to_day: date
    imported_at: datetime
    done_at: datetime | None
    lines: int
    buckets: dict[Bucket, int]


IMPORT = """
INSERT INTO statement (id, provider, sha256, file_name, from_day, to_day, officer_ref, imported_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (provider, sha256) DO NOTHING RETURNING id
"""
KNOWN = "SELECT id FROM statement WHERE provider = $1 AND sha256 = $2"


async def take(
    tx: Connection, provider: str, sha256: str, name: str, over: Period, lines: Sequence[Line], officer: UUID | None,
    now: datetime,
) -> UUID:  # fmt: skip
    """The statement, whole; the same file again is the same statement. No officer: the service fetched it."""
    statement_id: UUID | None = await tx.fetchval(
        IMPORT, ids.new(), provider, sha256, name, over.first, over.last, officer, now
    )
    if statement_id is None:
        known: UUID = await tx.fetchval(KNOWN, provider, sha256)
        return known
    columns = ("statement_id", "place", "movement", "transaction", "reference", "amount", "moved_at", "settled_on")
    records = [
        (statement_id, n.place, n.movement, n.transaction, n.reference, n.amount, n.moved_at, n.settled_on)
        for n in lines
    ]
    await tx.copy_records_to_table("statement_line", records=records, columns=columns)
    await timers.schedule(tx, RECONCILE, str(statement_id), now)
    return statement_id


COLUMNS = """
SELECT s.id, s.provider, s.file_name, s.from_day, s.to_day, s.imported_at, s.done_at,
    (SELECT count(*) FROM statement_line l WHERE l.statement_id = s.id) AS lines,
    (SELECT coalesce(jsonb_object_agg(bucket, n), '{}') FROM
        (SELECT bucket, count(*) AS n FROM statement_line l WHERE l.statement_id = s.id AND bucket IS NOT NULL
         GROUP BY bucket) counted) AS buckets
FROM statement s
"""
READ = f"{COLUMNS} WHERE s.id = $1"
NEWEST = f"{COLUMNS} ORDER BY s.imported_at DESC LIMIT 100"


async def read(db: Database | Connection, statement_id: UUID) -> Statement | None:
    row = await db.fetchrow(READ, statement_id)
    return _statement(row) if row else None


async def newest(db: Database) -> list[Statement]:
    return [_statement(row) for row in await db.fetch(NEWEST)]


def _statement(row: Any) -> Statement:
    return Statement(**{**row, "buckets": {Bucket(name): n for name, n in row["buckets"].items()}})


MATCH = """
UPDATE statement_line l SET bucket = CASE WHEN p.amount = l.amount THEN 'matched' ELSE 'differs' END
FROM posting p
WHERE l.statement_id = $1 AND l.bucket IS NULL
    AND p.provider = $2 AND p.transaction = l.transaction AND p.movement = l.movement
"""


async def match(db: Database, statement: Statement) -> None:
    """All lines that we booked: one statement for any number of them."""
    await db.execute(MATCH, statement.id, statement.provider)


OPEN_LINES = """
SELECT place, movement, transaction, reference, amount, moved_at, settled_on FROM statement_line
WHERE statement_id = $1 AND bucket IS NULL ORDER BY place LIMIT $2
"""


async def open_lines(db: Database, statement_id: UUID, limit: int) -> list[Line]:
    """Those that nothing of ours matches yet."""
    rows = await db.fetch(OPEN_LINES, statement_id, limit)
    return [Line(**{**row, "movement": Movement(row["movement"])}) for row in rows]


DIFFERING = """
SELECT l.place, l.movement, l.transaction, l.reference, l.amount, l.moved_at, l.settled_on, p.amount AS expected,
    p.dossier_code
FROM statement_line l JOIN posting p USING (transaction, movement)
WHERE l.statement_id = $1 AND p.provider = $2 AND l.bucket = 'differs'
"""


async def differing(tx: Connection, statement: Statement) -> list[tuple[Line, int, str | None]]:
    """Lines with another amount than we booked: the line, our amount, the dossier."""
    found = []
    for row in await tx.fetch(DIFFERING, statement.id, statement.provider):
        *line, expected, code = row.values()
        found.append((Line(line[0], Movement(line[1]), *line[2:]), expected, code))
    return found


PUT = "UPDATE statement_line SET bucket = $3 WHERE statement_id = $1 AND place = $2"


async def put(tx: Connection, statement_id: UUID, line: Line, bucket: Bucket) -> None:
    await tx.execute(PUT, statement_id, line.place, bucket)


OURS_ONLY = """
SELECT p.transaction, p.amount, p.dossier_code, a.reference FROM posting p JOIN attempt a ON a.id = p.attempt_id
WHERE p.provider = $1 AND p.movement = 'capture'
    AND p.moved_at >= ($2::date)::timestamp AT TIME ZONE 'Asia/Ho_Chi_Minh'
    AND p.moved_at < ($3::date + 1)::timestamp AT TIME ZONE 'Asia/Ho_Chi_Minh'
    AND p.moved_at < now() - interval '1 hour' -- a statement of the running day may be a little behind
    AND NOT EXISTS (
        SELECT 1 FROM statement_line l JOIN statement s ON s.id = l.statement_id
        WHERE s.provider = $1 AND l.transaction = p.transaction AND l.movement = 'capture')
"""


async def ours_only(tx: Connection, s: Statement) -> list[Any]:
    """What we booked in the statement's days, and no statement of this provider shows."""
    return await tx.fetch(OURS_ONLY, s.provider, s.from_day, s.to_day)


SETTLED = """
SELECT coalesce(sum(CASE WHEN movement = 'capture' THEN amount ELSE -amount END), 0)::bigint AS amount,
    max(settled_on) AS day
FROM statement_line WHERE statement_id = $1 AND settled_on IS NOT NULL AND bucket IN ('matched', 'found')
"""
BOOK_SETTLEMENT = """
INSERT INTO posting (posting_id, provider, transaction, moved_at, pays, movement, amount)
VALUES ($1, $2, $3, $4, false, 'settlement', $5) ON CONFLICT (provider, transaction, movement) DO NOTHING
RETURNING posting_id
"""


async def settle(tx: Connection, s: Statement, now: datetime) -> None:
    """What the provider paid out to our account by this statement, booked once."""
    row = await tx.fetchrow(SETTLED, s.id)
    if row is None or row["amount"] <= 0:
        return
    posting_id = await tx.fetchval(BOOK_SETTLEMENT, ids.new(), s.provider, str(s.id), now, row["amount"])
    if posting_id:
        paid_out = (Entry(BANK, row["amount"]), Entry(held_by(s.provider), -row["amount"]))
        await bills.enter(tx, posting_id, paid_out)


DONE = "UPDATE statement SET done_at = $2 WHERE id = $1"


async def done(tx: Connection, statement_id: UUID, now: datetime) -> None:
    await tx.execute(DONE, statement_id, now)


OPEN_CASE = """
INSERT INTO review_case (id, kind, provider, transaction, reference, dossier_code, amount, expected, opened_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (kind, provider, transaction) DO NOTHING
"""


async def open_case(
    tx: Connection, kind: Kind, provider: str, transaction: str, now: datetime, *, amount: int, reference: str = "",
    expected: int | None = None, dossier_code: str | None = None,
) -> None:  # fmt: skip
    """Something for a person to look at, once."""
    await tx.execute(OPEN_CASE, ids.new(), kind, provider, transaction, reference, dossier_code, amount, expected, now)


CASES = """
SELECT id, kind, provider, transaction, reference, dossier_code, amount, expected, opened_at, resolved_at, note
FROM review_case WHERE $1 OR resolved_at IS NULL ORDER BY opened_at, id LIMIT 500
"""
RESOLVE = """
UPDATE review_case SET resolved_at = $2, resolver_ref = $3, note = $4 WHERE id = $1 AND resolved_at IS NULL
RETURNING 1
"""


async def cases(db: Database, *, closed_too: bool) -> list[Any]:
    return await db.fetch(CASES, closed_too)


async def resolve(tx: Connection, case_id: UUID, officer: UUID, note: str, now: datetime) -> bool:
    """Whether it was open until now."""
    return await tx.fetchval(RESOLVE, case_id, now, officer, note) is not None

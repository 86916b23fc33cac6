"""What registers are read from.

A page costs the same however many dossiers there are: each list is read in its order from where the page before ended,
and at most `WINDOW` entries of it are looked at. If filters leave fewer than a page of those, the page is short, and
says from where to go on.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import asyncpg

from kit.db import Connection
from services.tracking.access.domain import Scope
from services.tracking.registers.domain import Filters, Order, Part, Period, Position

WINDOW = 1000
"""Entries of one list that a page with filters looks at."""
QUICK = 0.01
"""Seconds after which no further part of a list is begun for the same page."""
CANDIDATES = 1000
"""Codes that a search looks at."""
MOST_ACCOUNTS = 20
"""Accounts of one person that a search looks at: one, and those that were locked in its favour."""

# ── the four lists: of one unit or of all, by day received or by appointment ───────────────────────
# $1 unit, $2 units of the scope (null: all), $3 $4 position before, $5 until, $6 window, $7 page,
# $8 procedure, $9 statuses, $10 lateness, $11 channel, $12 $13 due range, $14 now

RECEIVED_AT_UNIT = """
WITH seen AS MATERIALIZED (
    (SELECT row_number() OVER (ORDER BY received_at, code) AS place, * FROM dossier_view
     WHERE receiving_unit = $1 AND (received_at, code) > ($3, $4) AND received_at < $5
     ORDER BY received_at, code LIMIT $6)
    UNION ALL
    (SELECT row_number() OVER (ORDER BY received_at, code), * FROM dossier_view
     WHERE competent_unit = $1 AND competent_unit <> receiving_unit
       AND (received_at, code) > ($3, $4) AND received_at < $5
     ORDER BY received_at, code LIMIT $6)
    UNION ALL
    (SELECT row_number() OVER (ORDER BY received_at, code), * FROM dossier_view
     WHERE unit = $1 AND unit <> receiving_unit AND unit <> competent_unit
       AND (received_at, code) > ($3, $4) AND received_at < $5
     ORDER BY received_at, code LIMIT $6)),
reached AS (SELECT received_at AS at, code FROM seen WHERE place = $6 ORDER BY received_at, code LIMIT 1)
SELECT reached.at AS reached_at, reached.code AS reached_code, found.*, owner.masked_name
FROM (SELECT 1) AS once LEFT JOIN reached ON true LEFT JOIN LATERAL (
    SELECT d.* FROM seen AS d
    WHERE (reached.code IS NULL OR (d.received_at, d.code) <= (reached.at, reached.code))
      AND d.members IS NULL AND ($2::text[] IS NULL OR $1 = ANY($2))
      AND ($8::text IS NULL OR d.procedure_code = $8) AND ($9::int[] IS NULL OR d.status = ANY($9))
      AND ($11::text IS NULL OR d.channel = $11)
      AND ($12::timestamptz IS NULL OR d.due_at >= $12) AND ($13::timestamptz IS NULL OR d.due_at < $13)
      AND CASE $10::text WHEN 'overdue' THEN d.ended_at IS NULL AND d.due_at < $14
            WHEN 'in_time' THEN d.ended_at IS NULL AND d.due_at >= $14 ELSE $10 IS NULL OR d.punctuality = $10 END
    ORDER BY d.received_at, d.code LIMIT $7) AS found ON true
LEFT JOIN account_view AS owner ON owner.account_ref = found.owner_ref
ORDER BY found.received_at, found.code
"""
RECEIVED_ANYWHERE = """
WITH seen AS MATERIALIZED (
    SELECT row_number() OVER (ORDER BY received_at, code) AS place, * FROM dossier_view
    WHERE (received_at, code) > ($3, $4) AND received_at < $5
    ORDER BY received_at, code LIMIT $6),
reached AS (SELECT received_at AS at, code FROM seen WHERE place = $6)
SELECT reached.at AS reached_at, reached.code AS reached_code, found.*, owner.masked_name
FROM (SELECT $1::text) AS once LEFT JOIN reached ON true LEFT JOIN LATERAL (
    SELECT d.* FROM seen AS d
    WHERE d.members IS NULL
      AND ($2::text[] IS NULL OR d.receiving_unit = ANY($2) OR d.competent_unit = ANY($2) OR d.unit = ANY($2))
      AND ($8::text IS NULL OR d.procedure_code = $8) AND ($9::int[] IS NULL OR d.status = ANY($9))
      AND ($11::text IS NULL OR d.channel = $11)
      AND ($12::timestamptz IS NULL OR d.due_at >= $12) AND ($13::timestamptz IS NULL OR d.due_at < $13)
      AND CASE $10::text WHEN 'overdue' THEN d.ended_at IS NULL AND d.due_at < $14
            WHEN 'in_time' THEN d.ended_at IS NULL AND d.due_at >= $14 ELSE $10 IS NULL OR d.punctuality = $10 END
    ORDER BY d.received_at, d.code LIMIT $7) AS found ON true
LEFT JOIN account_view AS owner ON owner.account_ref = found.owner_ref
ORDER BY found.received_at, found.code
"""
DUE_AT_UNIT = """
WITH seen AS MATERIALIZED (
    (SELECT row_number() OVER (ORDER BY due_at, code) AS place, * FROM dossier_view
     WHERE receiving_unit = $1 AND ended_at IS NULL AND (due_at, code) > ($3, $4) AND due_at < $5
     ORDER BY due_at, code LIMIT $6)
    UNION ALL
    (SELECT row_number() OVER (ORDER BY due_at, code), * FROM dossier_view
     WHERE competent_unit = $1 AND competent_unit <> receiving_unit AND ended_at IS NULL
       AND (due_at, code) > ($3, $4) AND due_at < $5
     ORDER BY due_at, code LIMIT $6)
    UNION ALL
    (SELECT row_number() OVER (ORDER BY due_at, code), * FROM dossier_view
     WHERE unit = $1 AND unit <> receiving_unit AND unit <> competent_unit AND ended_at IS NULL
       AND (due_at, code) > ($3, $4) AND due_at < $5
     ORDER BY due_at, code LIMIT $6)),
reached AS (SELECT due_at AS at, code FROM seen WHERE place = $6 ORDER BY due_at, code LIMIT 1)
SELECT reached.at AS reached_at, reached.code AS reached_code, found.*, owner.masked_name
FROM (SELECT 1) AS once LEFT JOIN reached ON true LEFT JOIN LATERAL (
    SELECT d.* FROM seen AS d
    WHERE (reached.code IS NULL OR (d.due_at, d.code) <= (reached.at, reached.code))
      AND d.members IS NULL AND ($2::text[] IS NULL OR $1 = ANY($2))
      AND ($8::text IS NULL OR d.procedure_code = $8) AND ($9::int[] IS NULL OR d.status = ANY($9))
      AND ($11::text IS NULL OR d.channel = $11)
      AND ($12::timestamptz IS NULL OR d.due_at >= $12) AND ($13::timestamptz IS NULL OR d.due_at < $13)
      AND CASE $10::text WHEN 'overdue' THEN d.ended_at IS NULL AND d.due_at < $14
            WHEN 'in_time' THEN d.ended_at IS NULL AND d.due_at >= $14 ELSE $10 IS NULL OR d.punctuality = $10 END
    ORDER BY d.due_at, d.code LIMIT $7) AS found ON true
LEFT JOIN account_view AS owner ON owner.account_ref = found.owner_ref
ORDER BY found.due_at, found.code
"""
DUE_ANYWHERE = """
WITH seen AS MATERIALIZED (
    SELECT row_number() OVER (ORDER BY due_at, code) AS place, * FROM dossier_view
    WHERE ended_at IS NULL AND (due_at, code) > ($3, $4) AND due_at < $5
    ORDER BY due_at, code LIMIT $6),
reached AS (SELECT due_at AS at, code FROM seen WHERE place = $6)
SELECT reached.at AS reached_at, reached.code AS reached_code, found.*, owner.masked_name
FROM (SELECT $1::text) AS once LEFT JOIN reached ON true LEFT JOIN LATERAL (
    SELECT d.* FROM seen AS d
    WHERE d.members IS NULL
      AND ($2::text[] IS NULL OR d.receiving_unit = ANY($2) OR d.competent_unit = ANY($2) OR d.unit = ANY($2))
      AND ($8::text IS NULL OR d.procedure_code = $8) AND ($9::int[] IS NULL OR d.status = ANY($9))
      AND ($11::text IS NULL OR d.channel = $11)
      AND ($12::timestamptz IS NULL OR d.due_at >= $12) AND ($13::timestamptz IS NULL OR d.due_at < $13)
      AND CASE $10::text WHEN 'overdue' THEN d.ended_at IS NULL AND d.due_at < $14
            WHEN 'in_time' THEN d.ended_at IS NULL AND d.due_at >= $14 ELSE $10 IS NULL OR d.punctuality = $10 END
    ORDER BY d.due_at, d.code LIMIT $7) AS found ON true
LEFT JOIN account_view AS owner ON owner.account_ref = found.owner_ref
ORDER BY found.due_at, found.code
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A page of a register."""

    order: Order
    scope: Scope
    period: Period
    filters: Filters
    limit: int
    after: Position | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a page shows, and after which entry the next one begins; None: nothing follows."""

    rows: list[asyncpg.Record]
    next: Position | None


async def page(db: Connection, wanted: Wanted, now: datetime) -> Found:
    """One page, in its order. It may hold fewer than asked for and still have a next one."""
    units, by_due = wanted.scope.units, wanted.order is Order.DUE
    one = next(iter(units)) if units and len(units) == 1 else None
    sql = _LISTS[wanted.order, one is not None]
    whole = not wanted.filters.any and (one is not None or units is None)
    start = wanted.after or Position(wanted.period.since)
    window = wanted.limit + 1 if whole else max(WINDOW, wanted.limit + 1)
    rows = await db.fetch(
        sql, one, sorted(units) if units is not None else None, start.at, start.code, wanted.period.until, window,
        wanted.limit + 1, *_filters(wanted.filters), now,
    )  # fmt: skip
    return _found(rows, wanted.limit, "due_at" if by_due else "received_at")


async def filled(db: Connection, wanted: Wanted, now: datetime) -> Found:
    """A page that looks on while it is not full, as long as that is quick."""
    began, found = time.monotonic(), await page(db, wanted, now)
    while found.next and len(found.rows) < wanted.limit and time.monotonic() - began < QUICK:
        rest = replace(wanted, after=found.next, limit=wanted.limit - len(found.rows))
        more = await page(db, rest, now)
        found = Found([*found.rows, *more.rows], more.next)
    return found


_LISTS = {
    (Order.RECEIVED, True): RECEIVED_AT_UNIT,
    (Order.RECEIVED, False): RECEIVED_ANYWHERE,
    (Order.DUE, True): DUE_AT_UNIT,
    (Order.DUE, False): DUE_ANYWHERE,
}


def _filters(filters: Filters) -> tuple[object, ...]:
    statuses = list(filters.statuses) or None
    return filters.procedure_code, statuses, filters.lateness, filters.channel, filters.due_since, filters.due_until


def _found(rows: Sequence[asyncpg.Record], limit: int, by: str) -> Found:
    """A full page goes on behind its last entry, a short one where the look ended."""
    shown = [row for row in rows if row["code"] is not None]
    if len(shown) > limit:
        return Found(shown[:limit], Position(shown[limit - 1][by], shown[limit - 1]["code"]))
    reached = rows[0]
    return Found(shown, Position(reached["reached_at"], reached["reached_code"]) if reached["reached_code"] else None)


# ── search: codes first, each from an index; then what the officer may see of them ─────────────────

BEGINNING = """
SELECT code FROM dossier_view WHERE code ~>=~ $1 AND code ~<~ $2 ORDER BY code USING ~>~ LIMIT $3
"""
ENDING = """
SELECT ended.code FROM unnest($1::text[]) AS asked (unit) CROSS JOIN LATERAL (
    (SELECT code FROM dossier_view
     WHERE receiving_unit = asked.unit AND reverse(code) ~>=~ $2 AND reverse(code) ~<~ $3 LIMIT $4)
    UNION ALL
    (SELECT code FROM dossier_view
     WHERE competent_unit = asked.unit AND competent_unit <> receiving_unit
       AND reverse(code) ~>=~ $2 AND reverse(code) ~<~ $3 LIMIT $4)
    UNION ALL
    (SELECT code FROM dossier_view
     WHERE unit = asked.unit AND unit <> receiving_unit AND unit <> competent_unit
       AND reverse(code) ~>=~ $2 AND reverse(code) ~<~ $3 LIMIT $4)) AS ended
"""
OF_PERSON = """
WITH person AS (SELECT account_ref FROM account_view WHERE identity_digest = ANY($1) LIMIT $2)
SELECT theirs.code FROM person CROSS JOIN LATERAL (
    (SELECT code FROM dossier_view WHERE owner_ref = account_ref ORDER BY submitted_at DESC, code DESC LIMIT $3)
    UNION ALL
    (SELECT code FROM dossier_view WHERE submitter_ref = account_ref AND submitter_ref <> owner_ref
     ORDER BY submitted_at DESC, code DESC LIMIT $3)) AS theirs
"""
LISTED = """
SELECT found.*, owner.masked_name FROM (
    SELECT d.* FROM dossier_view AS d
    WHERE d.code = ANY($1) AND d.version > 0
      AND ($2::text[] IS NULL OR d.receiving_unit = ANY($2) OR d.competent_unit = ANY($2) OR d.unit = ANY($2))
      AND ($3::text IS NULL OR d.procedure_code = $3) AND ($4::int[] IS NULL OR d.status = ANY($4))
      AND ($6::text IS NULL OR d.channel = $6)
      AND ($7::timestamptz IS NULL OR d.due_at >= $7) AND ($8::timestamptz IS NULL OR d.due_at < $8)
      AND CASE $5::text WHEN 'overdue' THEN d.ended_at IS NULL AND d.due_at < $9
            WHEN 'in_time' THEN d.ended_at IS NULL AND d.due_at >= $9 ELSE $5 IS NULL OR d.punctuality = $5 END
    ORDER BY d.received_at DESC, d.code DESC LIMIT $10) AS found
LEFT JOIN account_view AS owner ON owner.account_ref = found.owner_ref
ORDER BY found.received_at DESC, found.code DESC
"""


async def codes_with(db: Connection, part: Part, units: Sequence[str]) -> list[str]:
    """Codes that begin like this, or end like this at one of the units; not more than `CANDIDATES`."""
    if not part.at_end:
        rows = await db.fetch(BEGINNING, part.low, part.high, CANDIDATES)
    else:
        each = max(20, CANDIDATES // (3 * max(1, len(units))))
        rows = await db.fetch(ENDING, list(units), part.low, part.high, each)
    return [row["code"] for row in rows]


async def codes_of(db: Connection, digests: Sequence[str]) -> list[str]:
    """Codes of what the person behind these digests owns or sent for somebody, the newest of each account."""
    rows = await db.fetch(OF_PERSON, list(digests), MOST_ACCOUNTS, CANDIDATES)
    return [row["code"] for row in rows]


async def listed(
    db: Connection, codes: Sequence[str], scope: Scope, filters: Filters, now: datetime, limit: int
) -> list[asyncpg.Record]:
    """What of these codes is in the scope and passes the filters, the newest first."""
    units = sorted(scope.units) if scope.units is not None else None
    return await db.fetch(LISTED, list(codes), units, *_filters(filters), now, limit)

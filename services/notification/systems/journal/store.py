"""Every SQL statement of the journal."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from kit.db import Connection, Database
from services.notification.systems.journal.domain import Entry, Kept, Whose

# Commits follow the numbers: whoever writes holds this lock from before the first number until the commit, so a reader
# that has seen number n will never find a smaller one afterwards.
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(1785688686)"  # "journ"


async def one_at_a_time(tx: Connection) -> None:
    """Wait until nobody else has uncommitted entries."""
    await tx.execute(ONE_AT_A_TIME)


KNOW = """
INSERT INTO journal_dossier (dossier_code, procedure_code, receiving_unit, competent_unit)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
ON CONFLICT (dossier_code) DO UPDATE
SET procedure_code = excluded.procedure_code, receiving_unit = excluded.receiving_unit,
    competent_unit = excluded.competent_unit
"""


async def know(tx: Connection, dossiers: Iterable[Whose]) -> None:
    """Remember who may hear of these dossiers."""
    rows = [(w.dossier_code, w.procedure_code, w.receiving_unit, w.competent_unit) for w in dossiers]
    if rows:
        await tx.execute(KNOW, *_columns(rows))


KNOWN = """
SELECT dossier_code, procedure_code, receiving_unit, competent_unit FROM journal_dossier
WHERE dossier_code = ANY($1::text[])
"""


async def known(tx: Connection, codes: Iterable[str]) -> dict[str, Whose]:
    return {row["dossier_code"]: Whose(**row) for row in await tx.fetch(KNOWN, list(codes))}


KEEP_EARLY = """
INSERT INTO journal_early (event_id, type, channel, dossier_code, version, occurred_at, traceparent, body)
SELECT *
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int[], $6::timestamptz[], $7::text[], $8::bytea[])
ON CONFLICT DO NOTHING
"""


async def keep_early(tx: Connection, events: Sequence[Kept]) -> None:
    """Keep what came before its dossier's filing: nobody can say yet who may hear it."""
    if events:
        await tx.execute(KEEP_EARLY, *_columns([_fields(event) for event in events]))


TAKE_EARLY = """
WITH taken AS (DELETE FROM journal_early WHERE dossier_code = ANY($1::text[]) RETURNING *)
SELECT event_id, type, channel, dossier_code, version, occurred_at, traceparent, body FROM taken
ORDER BY dossier_code, channel, version
"""


async def take_early(tx: Connection, codes: Iterable[str]) -> list[Kept]:
    """What waited for the filing of these dossiers, in the order of each; it waits no more."""
    return [Kept(*row) for row in await tx.fetch(TAKE_EARLY, list(codes))]


APPEND = """
INSERT INTO journal
    (event_id, type, channel, dossier_code, version, occurred_at, traceparent, body,
     procedure_code, receiving_unit, competent_unit)
SELECT event_id, type, channel, dossier_code, version, occurred_at, traceparent, body, procedure, receiving, competent
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int[], $6::timestamptz[], $7::text[], $8::bytea[],
            $9::text[], $10::text[], $11::text[])
     WITH ORDINALITY AS u (event_id, type, channel, dossier_code, version, occurred_at, traceparent, body,
                           procedure, receiving, competent, n)
ORDER BY n
ON CONFLICT (channel, dossier_code, version) DO NOTHING
"""


async def append(tx: Connection, events: Sequence[Kept], known: dict[str, Whose]) -> None:
    """Put these events at the journal's end, in this order; one that it has already is not put there again."""
    rows = [(*_fields(event), *_scope(known[event.dossier_code])) for event in events]
    if rows:
        await tx.execute(APPEND, *_columns(rows))


def _fields(event: Kept) -> tuple[Any, ...]:
    return (
        event.event_id, event.ce_type, event.channel, event.dossier_code, event.version, event.occurred_at,
        event.traceparent, event.body,
    )  # fmt: skip


def _scope(whose: Whose) -> tuple[str, str, str]:
    return whose.procedure_code, whose.receiving_unit, whose.competent_unit


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


READ = """
SELECT seq, event_id, type, channel, dossier_code, version, occurred_at, traceparent, body,
       procedure_code, receiving_unit, competent_unit
FROM journal WHERE seq > $1 ORDER BY seq LIMIT $2
"""


async def read(db: Database, after: int, limit: int) -> list[Entry]:
    """The entries that follow."""
    return [entry(row) for row in await db.fetch(READ, after, limit)]


def entry(row: asyncpg.Record) -> Entry:
    """The first twelve columns, as READ has them."""
    code, scope = row[4], row[9:12]
    return Entry(row[0], Kept(*row[1:9]), Whose(code, *scope))


END = "SELECT coalesce(max(seq), 0) FROM journal"
BEFORE = """
SELECT coalesce((SELECT seq - 1 FROM journal WHERE recorded_at >= $1 ORDER BY recorded_at, seq LIMIT 1),
                (SELECT max(seq) FROM journal), 0)
"""


async def end(tx: Connection) -> int:
    """The newest entry's number."""
    return int(await tx.fetchval(END))


async def before(tx: Connection, moment: datetime) -> int:
    """Where to begin so that everything heard since then follows."""
    return int(await tx.fetchval(BEFORE, moment))


FORGET = """
DELETE FROM journal WHERE seq IN (SELECT seq FROM journal WHERE recorded_at < $1 ORDER BY recorded_at LIMIT $2)
"""


async def forget(db: Database, before: datetime, limit: int) -> int:
    """Forget entries of before; how many went (at most `limit`)."""
    return int((await db.execute(FORGET, before, limit)).split()[-1])

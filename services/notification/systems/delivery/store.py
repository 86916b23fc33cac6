"""Every SQL statement of delivering."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from kit.db import Connection, Database
from services.notification.systems.delivery.line import Attempt, Changes, Item, Line, Row, Unit, again, item_of
from services.notification.systems.journal.domain import Entry
from services.notification.systems.journal.store import entry

# ── who delivers what ──

SEEN = """
WITH gone AS (DELETE FROM courier WHERE seen_at < now() - interval '1 minute' AND id <> $1)
INSERT INTO courier (id, seen_at) VALUES ($1, now()) ON CONFLICT (id) DO UPDATE SET seen_at = now()
"""
COURIERS = "SELECT id FROM courier WHERE seen_at > now() - $1::interval"


async def seen(db: Database, courier: UUID, lately: timedelta) -> list[UUID]:
    """Say that this process delivers; all that did lately."""
    await db.execute(SEEN, courier)
    return [row["id"] for row in await db.fetch(COURIERS, lately)]


LEAVE = "DELETE FROM courier WHERE id = $1"


async def leave(db: Database, courier: UUID) -> None:
    """This process delivers no more."""
    await db.execute(LEAVE, courier)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to deliver to one subscription, until somebody takes it (a later epoch) or it runs out."""

    subscription_id: UUID
    epoch: int
    position: int
    replay_until: int
    failing_since: datetime | None


CLAIM = """
UPDATE delivery_line SET courier = $1, leased_until = now() + $3::interval, epoch = epoch + 1
WHERE subscription_id = ANY($2::uuid[]) AND (courier IS NULL OR courier = $1 OR leased_until < now())
RETURNING subscription_id, epoch, position, replay_until, failing_since
"""


async def claim(db: Database, courier: UUID, subscriptions: Collection[UUID], lease: timedelta) -> list[Lease]:
    """Take these lines, as far as nobody has them."""
    return [Lease(*row) for row in await db.fetch(CLAIM, courier, list(subscriptions), lease)]


RENEW = """
UPDATE delivery_line l SET leased_until = now() + $3::interval
FROM unnest($1::uuid[], $2::bigint[]) AS mine (id, epoch) WHERE l.subscription_id = mine.id AND l.epoch = mine.epoch
RETURNING l.subscription_id
"""


async def renew(db: Database, lines: Collection[Line], lease: timedelta) -> set[UUID]:
    """Keep these lines for longer; those that are still ours."""
    rows = await db.fetch(RENEW, *_epochs(lines), lease)
    return {row["subscription_id"] for row in rows}


RELEASE = """
UPDATE delivery_line l SET courier = NULL, leased_until = NULL
FROM unnest($1::uuid[], $2::bigint[]) AS mine (id, epoch) WHERE l.subscription_id = mine.id AND l.epoch = mine.epoch
"""


async def release(db: Database, lines: Collection[Line]) -> None:
    """Let others have these lines."""
    await db.execute(RELEASE, *_epochs(lines))


def _epochs(lines: Iterable[Line]) -> tuple[list[UUID], list[int]]:
    chosen = list(lines)
    return [line.subscription.id for line in chosen], [line.epoch for line in chosen]


# ── what is not done ──

BLOCKED = """
SELECT DISTINCT subscription_id, channel, dossier_code FROM delivery
WHERE subscription_id = ANY($1::uuid[]) AND given_up_at IS NULL
"""


async def blocked(db: Database, subscriptions: Collection[UUID]) -> dict[UUID, set[Unit]]:
    """The dossiers whose later events have to wait."""
    found: dict[UUID, set[Unit]] = {subscription: set() for subscription in subscriptions}
    for subscription, *unit in await db.fetch(BLOCKED, list(subscriptions)):
        found[subscription].add((unit[0], unit[1]))
    return found


DUE = """
SELECT j.seq, j.event_id, j.type, j.channel, j.dossier_code, j.version, j.occurred_at, j.traceparent, j.body,
       j.procedure_code, j.receiving_unit, j.competent_unit, d.subscription_id, d.attempts, d.failing_since, d.replayed
FROM unnest($1::uuid[], $2::int[]) AS wanted (id, at_most)
CROSS JOIN LATERAL (
    SELECT * FROM delivery WHERE subscription_id = wanted.id AND due_at <= now() ORDER BY due_at LIMIT wanted.at_most
) AS d JOIN journal j USING (seq)
"""


async def due(db: Database, wanted: Mapping[UUID, int]) -> list[tuple[UUID, Item]]:
    """What is to be tried again by now, at most so many of each subscription."""
    rows = await db.fetch(DUE, list(wanted), list(wanted.values()))
    return [(row["subscription_id"], _due(row)) for row in rows]


def _due(row: asyncpg.Record) -> Item:
    return again(item_of(entry(row), replayed=row["replayed"]), row["attempts"], row["failing_since"])


PREVIOUS = """
SELECT u.n, (SELECT max(j.version) FROM journal j WHERE j.channel = u.channel AND j.dossier_code = u.dossier_code
             AND j.version < u.version AND j.type = ANY($4::text[]))
FROM unnest($1::text[], $2::text[], $3::int[]) WITH ORDINALITY AS u (channel, dossier_code, version, n) ORDER BY n
"""


async def previous_versions(db: Database, events: Sequence[tuple[str, str, int]], types: Iterable[str]) -> list[Any]:
    """For each (channel, dossier, version): the version before it among events of these types, or None."""
    rows = await db.fetch(PREVIOUS, *(list(column) for column in zip(*events, strict=True)), list(types))
    return [row[1] for row in rows]


# ── what became of it ──


@dataclass(frozen=True, slots=True)
class News:
    """What one line has to store: its changes, with where it stood when they were collected."""

    line: Line
    changes: Changes
    position: int
    failing_since: datetime | None


async def save(db: Database, news: Sequence[News]) -> dict[UUID, set[Unit]]:
    """Store it all, in one transaction. For each subscription that is still ours: the dossiers nothing waits of."""
    async with db.transaction() as tx:
        ours = await _still_ours(tx, news)
        kept = [one for one in news if one.line.subscription.id in ours]
        await _save_rows(tx, kept)
        await _save_attempts(tx, kept)
        await _move(tx, kept)
        return await _put_heads_forward(tx, kept)


OURS = """
SELECT subscription_id FROM delivery_line
WHERE (subscription_id, epoch) IN (SELECT * FROM unnest($1::uuid[], $2::bigint[])) ORDER BY subscription_id FOR UPDATE
"""


async def _still_ours(tx: Connection, news: Sequence[News]) -> set[UUID]:
    rows = await tx.fetch(OURS, *_epochs(one.line for one in news))
    return {row["subscription_id"] for row in rows}


ROWS = """
INSERT INTO delivery
    (subscription_id, seq, channel, dossier_code, attempts, failing_since, due_at, given_up_at, replayed)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::int[], $6::timestamptz[], $7::timestamptz[],
                     $8::timestamptz[], $9::boolean[])
ON CONFLICT (subscription_id, seq) DO UPDATE
SET attempts = excluded.attempts, failing_since = excluded.failing_since, due_at = excluded.due_at,
    given_up_at = excluded.given_up_at
WHERE excluded.attempts > 0
"""
DONE = """
DELETE FROM delivery WHERE (subscription_id, seq) IN (SELECT * FROM unnest($1::uuid[], $2::bigint[]))
"""
HASTEN = """
UPDATE delivery SET due_at = now() WHERE subscription_id = ANY($1::uuid[]) AND due_at > now()
"""


async def _save_rows(tx: Connection, news: Sequence[News]) -> None:
    newest = {(one.line.subscription.id, row.item.seq): row for one in news for row in one.changes.rows}
    rows = [_row(subscription, row) for (subscription, _), row in newest.items()]
    done = [(one.line.subscription.id, item.seq) for one in news for item in one.changes.done]
    hasten = [one.line.subscription.id for one in news if one.changes.hasten]
    if rows:
        await tx.execute(ROWS, *_columns(rows))
    if done:
        await tx.execute(DONE, *_columns(done))
    if hasten:
        await tx.execute(HASTEN, hasten)


def _row(subscription: UUID, row: Row) -> tuple[Any, ...]:
    item = row.item
    return (
        subscription, item.seq, *item.unit, row.attempts, row.failing_since, row.due_at, row.given_up_at,
        item.outgoing.replayed,
    )  # fmt: skip


ATTEMPTS = """
INSERT INTO attempt (subscription_id, seq, event_id, attempt, at, took_ms, status, trouble, next_at)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::int[], $5::timestamptz[], $6::int[], $7::smallint[],
                     $8::text[], $9::timestamptz[])
"""


async def _save_attempts(tx: Connection, news: Sequence[News]) -> None:
    rows = [_attempt(one.line.subscription.id, attempt) for one in news for attempt in one.changes.attempts]
    if rows:
        await tx.execute(ATTEMPTS, *_columns(rows))


def _attempt(subscription: UUID, attempt: Attempt) -> tuple[Any, ...]:
    item = attempt.item
    return (
        subscription, item.seq, item.outgoing.event_id, item.attempt, attempt.at,
        int(attempt.took.total_seconds() * 1000), attempt.status, attempt.trouble, attempt.next_at,
    )  # fmt: skip


MOVE = """
UPDATE delivery_line l SET position = u.position, failing_since = u.failing_since
FROM unnest($1::uuid[], $2::bigint[], $3::timestamptz[]) AS u (id, position, failing_since)
WHERE l.subscription_id = u.id
"""
DISABLE = """
UPDATE subscription s SET state = 'disabled', reason = u.reason, version = version + 1, changed_at = now()
FROM unnest($1::uuid[], $2::text[]) AS u (id, reason) WHERE s.id = u.id AND s.state = 'active'
"""


async def _move(tx: Connection, news: Sequence[News]) -> None:
    if news:
        rows = [(one.line.subscription.id, one.position, one.failing_since) for one in news]
        await tx.execute(MOVE, *_columns(rows))
    disabled = [(one.line.subscription.id, one.changes.disabled) for one in news if one.changes.disabled]
    if disabled:
        await tx.execute(DISABLE, *_columns(disabled))


# Whoever is first of a dossier's rows is due, whatever made it the first.
HEADS = """
SELECT t.id, t.channel, t.dossier_code,
       (SELECT min(seq) FROM delivery d WHERE d.subscription_id = t.id AND d.channel = t.channel
        AND d.dossier_code = t.dossier_code AND d.given_up_at IS NULL) AS head
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS t (id, channel, dossier_code)
"""
FORWARD = """
UPDATE delivery d SET due_at = now()
FROM unnest($1::uuid[], $2::bigint[]) AS h (id, seq)
WHERE d.subscription_id = h.id AND d.seq = h.seq AND d.due_at IS NULL
"""


async def _put_heads_forward(tx: Connection, news: Sequence[News]) -> dict[UUID, set[Unit]]:
    free: dict[UUID, set[Unit]] = {one.line.subscription.id: set() for one in news}
    touched = [(one.line.subscription.id, *unit) for one in news for unit in one.changes.touched()]
    if not touched:
        return free
    heads = await tx.fetch(HEADS, *_columns(touched))
    await tx.execute(FORWARD, *_columns([(row["id"], row["head"]) for row in heads]))
    for row in heads:
        if row["head"] is None:
            free[row["id"]].add((row["channel"], row["dossier_code"]))
    return free


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


# ── what subscribers see, and ask for again ──

ATTEMPTS_OF = """
SELECT a.id, a.event_id, j.type, j.channel, j.dossier_code, j.version, a.attempt, a.at, a.took_ms, a.status, a.trouble,
       a.next_at
FROM attempt a LEFT JOIN journal j USING (seq)
WHERE a.subscription_id = $1 AND a.id < $2 AND ($3::uuid IS NULL OR a.event_id = $3)
  AND ($4::text IS NULL OR j.dossier_code = $4) AND (NOT $5 OR a.trouble IS NOT NULL)
ORDER BY a.id DESC LIMIT $6
"""


async def attempts_of(
    db: Database,
    subscription: UUID,
    before: int,
    event_id: UUID | None,
    dossier_code: str | None,
    failed: bool,
    limit: int,
) -> list[asyncpg.Record]:
    """Its requests, newest first."""
    return await db.fetch(ATTEMPTS_OF, subscription, before, event_id, dossier_code, failed, limit)


WAITING = """
SELECT d.seq, j.event_id, j.type, j.channel, j.dossier_code, j.version, d.attempts, d.failing_since, d.due_at,
       d.given_up_at
FROM delivery d JOIN journal j USING (seq)
WHERE d.subscription_id = $1 AND d.seq > $2 AND (d.given_up_at IS NOT NULL) = $3 ORDER BY d.seq LIMIT $4
"""


async def waiting(db: Database, subscription: UUID, after: int, given_up: bool, limit: int) -> list[asyncpg.Record]:
    """What is not done, oldest first: what is tried again, or what was given up."""
    return await db.fetch(WAITING, subscription, after, given_up, limit)


EVENT = """
SELECT seq, event_id, type, channel, dossier_code, version, occurred_at, traceparent, body,
       procedure_code, receiving_unit, competent_unit
FROM journal WHERE event_id = $1
"""
HISTORY = """
SELECT j.seq, event_id, type, channel, dossier_code, version, occurred_at, traceparent, body,
       procedure_code, receiving_unit, competent_unit
FROM journal j JOIN delivery_line l ON l.subscription_id = $1 AND j.seq <= l.position
WHERE channel = $2 AND dossier_code = $3 AND version >= $4 ORDER BY version
"""


async def event(tx: Connection, event_id: UUID) -> list[Entry]:
    """The event of that id, if it is kept."""
    return [entry(row) for row in await tx.fetch(EVENT, event_id)]


async def history(tx: Connection, subscription: UUID, channel: str, dossier_code: str, version: int) -> list[Entry]:
    """What is kept of a dossier from that version on, as far as the subscription has come."""
    return [entry(row) for row in await tx.fetch(HISTORY, subscription, channel, dossier_code, version)]


AGAIN = """
INSERT INTO delivery (subscription_id, seq, channel, dossier_code, replayed)
SELECT $1, u.seq, u.channel, u.dossier_code, true
FROM unnest($2::bigint[], $3::text[], $4::text[]) AS u (seq, channel, dossier_code)
ON CONFLICT (subscription_id, seq) DO UPDATE
SET attempts = 0, failing_since = NULL, due_at = NULL, given_up_at = NULL, replayed = true
"""


async def ask_again(tx: Connection, subscription: UUID, entries: Sequence[Entry]) -> None:
    """Send these once more, in the order of their dossiers."""
    if not entries:
        return
    rows = [(one.seq, one.kept.channel, one.kept.dossier_code) for one in entries]
    await tx.execute(AGAIN, subscription, *_columns(rows))
    units = {(subscription, one.kept.channel, one.kept.dossier_code) for one in entries}
    heads = await tx.fetch(HEADS, *_columns(list(units)))
    await tx.execute(FORWARD, *_columns([(row["id"], row["head"]) for row in heads]))


TURN_BACK = """
UPDATE delivery_line
SET replay_until = greatest(replay_until, position), position = $2, epoch = epoch + 1
WHERE subscription_id = $1 AND position > $2
"""
NOT_GIVEN_UP = "DELETE FROM delivery WHERE subscription_id = $1 AND seq > $2 AND given_up_at IS NOT NULL"


async def turn_back(tx: Connection, subscription: UUID, position: int) -> None:
    """Go through the journal again from there; nothing happens if it has not come that far."""
    await tx.execute(TURN_BACK, subscription, position)
    await tx.execute(NOT_GIVEN_UP, subscription, position)


FORGET = """
DELETE FROM attempt WHERE (subscription_id, id) IN (
    SELECT subscription_id, id FROM attempt WHERE at < $1 ORDER BY at LIMIT $2)
"""


async def forget(db: Database, before: datetime, limit: int) -> int:
    """Forget attempts of before; how many went (at most `limit`)."""
    return int((await db.execute(FORGET, before, limit)).split()[-1])


FORGET_ROWS = """
DELETE FROM delivery d WHERE given_up_at < $1 OR NOT EXISTS (SELECT FROM journal j WHERE j.seq = d.seq)
"""


async def forget_rows(db: Database, before: datetime) -> None:
    """Off the list is what was given up before, and whatever waited for longer than events are kept."""
    await db.execute(FORGET_ROWS, before)

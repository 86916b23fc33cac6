"""Every SQL statement of subscriptions."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg

from kit.db import Connection, Database
from services.notification.systems.subscriptions.domain import Filters, Reason, State, Subscription


@dataclass(frozen=True, slots=True)
class Sealed:
    """What is secret of a subscription, as it is stored."""

    key: bytes | None = field(repr=False)
    previous_key: bytes | None = field(default=None, repr=False)
    previous_key_until: datetime | None = None
    authentication: bytes | None = field(default=None, repr=False)
    authority: str = field(default="", repr=False)


INSERT = """
INSERT INTO subscription
    (id, subscriber, kind, url, types, procedures, units, at_once, state, reason, version, created_at, changed_at,
     description, key, previous_key, previous_key_until, authentication, authority)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
"""
BEGIN = "INSERT INTO delivery_line (subscription_id, position) VALUES ($1, $2)"


async def add(tx: Connection, new: Subscription, sealed: Sealed, position: int) -> None:
    """A new one, which begins after that number of the journal."""
    await tx.execute(
        INSERT, new.id, new.subscriber, new.kind, new.url, *_lists(new.filters), new.at_once, new.state, new.reason,
        new.version, new.created_at, new.changed_at, new.description,
        sealed.key, sealed.previous_key, sealed.previous_key_until, sealed.authentication, sealed.authority,
    )  # fmt: skip
    await tx.execute(BEGIN, new.id, position)


def _lists(filters: Filters) -> tuple[list[str], list[str], list[str]]:
    return sorted(filters.types), sorted(filters.procedures), sorted(filters.units)


ACTIVE = """
SELECT id, subscriber, kind, url, types, procedures, units, at_once, state, reason, version, created_at, changed_at,
       description
FROM subscription WHERE state = 'active'
"""
FIND = """
SELECT id, subscriber, kind, url, types, procedures, units, at_once, state, reason, version, created_at, changed_at,
       description
FROM subscription WHERE id = $1
"""
LOCK = """
SELECT id, subscriber, kind, url, types, procedures, units, at_once, state, reason, version, created_at, changed_at,
       description
FROM subscription WHERE id = $1 FOR UPDATE
"""
LIST = """
SELECT id, subscriber, kind, url, types, procedures, units, at_once, state, reason, version, created_at, changed_at,
       description
FROM subscription WHERE ($1::text IS NULL OR subscriber = $1) AND id > $2 ORDER BY id LIMIT $3
"""


async def active(db: Database) -> list[Subscription]:
    return [_subscription(row) for row in await db.fetch(ACTIVE)]


async def find(db: Database | Connection, subscription: UUID) -> Subscription | None:
    row = await db.fetchrow(FIND, subscription)
    return _subscription(row) if row else None


async def lock(tx: Connection, subscription: UUID) -> Subscription | None:
    row = await tx.fetchrow(LOCK, subscription)
    return _subscription(row) if row else None


async def listed(db: Database, subscriber: str | None, after: UUID, limit: int) -> list[Subscription]:
    """Those of one subscriber, or all, in the order in which they were made."""
    return [_subscription(row) for row in await db.fetch(LIST, subscriber, after, limit)]


def _subscription(row: asyncpg.Record) -> Subscription:
    return Subscription(
        id=row["id"], subscriber=row["subscriber"], kind=row["kind"], url=row["url"], at_once=row["at_once"],
        filters=Filters(frozenset(row["types"]), frozenset(row["procedures"]), frozenset(row["units"])),
        state=State(row["state"]), reason=Reason(row["reason"]) if row["reason"] else None, version=row["version"],
        created_at=row["created_at"], changed_at=row["changed_at"], description=row["description"],
    )  # fmt: skip


SAVE = """
UPDATE subscription
SET url = $2, types = $3, procedures = $4, units = $5, at_once = $6, state = $7, reason = $8, version = $9,
    changed_at = $10, description = $11
WHERE id = $1
"""
AFRESH = "UPDATE delivery_line SET failing_since = NULL WHERE subscription_id = $1"


async def save(tx: Connection, s: Subscription) -> None:
    """As it is now."""
    await tx.execute(
        SAVE, s.id, s.url, *_lists(s.filters), s.at_once, s.state, s.reason, s.version, s.changed_at, s.description
    )


async def afresh(tx: Connection, subscription: UUID) -> None:
    """Its three days of accepting nothing begin anew."""
    await tx.execute(AFRESH, subscription)


DISABLE = """
UPDATE subscription SET state = 'disabled', reason = $2, version = version + 1, changed_at = now()
WHERE id = $1 AND state = 'active'
"""


async def disable(db: Database, subscription: UUID, reason: Reason) -> None:
    """End it, unless somebody else did."""
    await db.execute(DISABLE, subscription, reason)


DELETE = "DELETE FROM subscription WHERE id = $1"


async def delete(tx: Connection, subscription: UUID) -> None:
    """Forget it, with its attempts."""
    await tx.execute(DELETE, subscription)


SEALED = """
SELECT key, previous_key, previous_key_until, authentication, authority FROM subscription WHERE id = $1
"""
RESEAL = """
UPDATE subscription
SET key = $2, previous_key = $3, previous_key_until = $4, authentication = $5, authority = $6,
    version = version + 1, changed_at = $7
WHERE id = $1
"""


async def sealed(db: Database | Connection, subscription: UUID) -> Sealed | None:
    row = await db.fetchrow(SEALED, subscription)
    return Sealed(**row) if row else None


async def reseal(tx: Connection, subscription: UUID, new: Sealed, now: datetime) -> None:
    """Other secrets from now on."""
    await tx.execute(
        RESEAL, subscription, new.key, new.previous_key, new.previous_key_until, new.authentication, new.authority, now
    )


WITH_SECRETS = "SELECT id FROM subscription WHERE key IS NOT NULL OR authentication IS NOT NULL ORDER BY id"
RENEW_SEALS = "UPDATE subscription SET key = $2, previous_key = $3, authentication = $4 WHERE id = $1"


async def with_secrets(db: Database) -> list[UUID]:
    return [row["id"] for row in await db.fetch(WITH_SECRETS)]


async def renew_seals(tx: Connection, subscription: UUID, new: Sealed) -> None:
    """The same secrets, closed with another key."""
    await tx.execute(RENEW_SEALS, subscription, new.key, new.previous_key, new.authentication)


STANDS = """
SELECT l.position, l.replay_until, l.failing_since, (SELECT coalesce(max(seq), 0) FROM journal) AS journal_end,
       (SELECT recorded_at FROM journal WHERE seq > l.position ORDER BY seq LIMIT 1) AS oldest,
       (SELECT count(*) FROM (SELECT FROM delivery d
        WHERE d.subscription_id = l.subscription_id AND given_up_at IS NULL LIMIT 1000) AS w) AS waiting
FROM delivery_line l WHERE subscription_id = $1
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a subscription is."""

    position: int
    replay_until: int
    failing_since: datetime | None
    journal_end: int
    oldest: datetime | None
    """When the oldest event that it has not been through was kept."""
    waiting: int
    """Events that wait for another attempt or behind one; 1000 stands for more."""


async def progress(db: Database | Connection, subscription: UUID) -> Progress | None:
    row = await db.fetchrow(STANDS, subscription)
    return Progress(**row) if row else None

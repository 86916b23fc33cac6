"""Messages as officers and operators look for them: what was given up, what became of the others, and once more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from kit import timers
from kit.db import Connection, Database
from services.notification.people.domain import DELIVER

COLUMNS = """
SELECT id, dossier_code, template, template_version, channel, unit, state, reason, delivery, attempts, happened_at,
       settled_at
FROM message
"""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which of the messages that were given up; None: any."""

    unit: str | None = None
    channel: str | None = None
    template: str | None = None
    reason: str | None = None
    since: datetime | None = None

    @property
    def values(self) -> tuple[object, ...]:
        return (self.unit, self.channel, self.template, self.reason, self.since)


MATCHING = """
state = 'failed' AND (unit = $1 OR $1::text IS NULL) AND (channel = $2 OR $2::text IS NULL)
AND (template = $3 OR $3::text IS NULL) AND (reason = $4 OR $4::text IS NULL)
AND (settled_at >= $5 OR $5::timestamptz IS NULL)
"""
FAILED = f"""{COLUMNS} WHERE {MATCHING} AND (settled_at, id) < ($6, $7)
ORDER BY settled_at DESC, id DESC LIMIT $8
"""


async def failed(db: Database, which: Filter, limit: int, before: tuple[datetime, UUID]) -> Sequence[asyncpg.Record]:
    """What was given up, newest first, after the message named by `before`."""
    return await db.fetch(FAILED, *which.values, *before, limit)


ABOUT = f"{COLUMNS} WHERE dossier_code = $1 ORDER BY happened_at, channel, id"


async def about(db: Database, dossier_code: str) -> Sequence[asyncpg.Record]:
    """Every message about a dossier, oldest first."""
    return await db.fetch(ABOUT, dossier_code)


ONE = f"{COLUMNS} WHERE id = $1"


async def one(db: Database | Connection, message_id: UUID) -> asyncpg.Record | None:
    return await db.fetchrow(ONE, message_id)


# Whoever sends again decides that no provider has it: attempts before `resent_at` bind nobody to one.
AGAIN = """
UPDATE message SET state = 'queued', reason = NULL, settled_at = NULL, resent_at = $2
WHERE id = $1 AND state = 'failed' RETURNING id
"""
IDS = "SELECT id FROM message"
OLDEST = f"{IDS} WHERE {MATCHING} ORDER BY settled_at, id LIMIT $6 FOR UPDATE SKIP LOCKED"
AGAIN_ALL = """
UPDATE message SET state = 'queued', reason = NULL, settled_at = NULL, resent_at = $2 WHERE id = ANY($1)
"""


async def send_again(tx: Connection, message_id: UUID, now: datetime) -> bool:
    """Queue a message that was given up once more; False if it was not."""
    found = await tx.fetchval(AGAIN, message_id, now)
    if found:
        await timers.schedule(tx, DELIVER, str(message_id), now)
    return found is not None


async def send_all_again(tx: Connection, which: Filter, at_most: int, now: datetime) -> int:
    """The same for all that match, oldest first, some of them at a time; how many it were."""
    found = [row["id"] for row in await tx.fetch(OLDEST, *which.values, at_most)]
    await tx.execute(AGAIN_ALL, found, now)
    for message_id in found:
        await timers.schedule(tx, DELIVER, str(message_id), now)
    return len(found)

"""Every SQL statement of the synchronisation: its subscription, how late it is, and what was heard of whom."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from kit.db import Connection, Database
from services.notification.systems.journal.domain import Entry
from services.notification.systems.journal.store import entry

SUBSCRIPTION = UUID("6d6f7463-7561-8000-8000-6e6174696f6e")
"""The one subscription of this kind; the installation keeps it itself."""

# It ended because the province or its settings said so: they say otherwise now. Whatever else ended it, people mend.
ADD = """
INSERT INTO subscription AS s (id, subscriber, kind, description, at_once, created_at, changed_at)
VALUES ($1, $2, $2, 'Cổng Dịch vụ công quốc gia', $3, $4, $4)
ON CONFLICT (id) DO UPDATE
SET state = 'active', reason = NULL, version = s.version + 1, changed_at = excluded.changed_at
WHERE s.reason = 'not_agreed'
"""
BEGIN = "INSERT INTO delivery_line (subscription_id, position) VALUES ($1, 0) ON CONFLICT DO NOTHING"


async def keep(tx: Connection, name: str, at_once: int, at: datetime) -> None:
    """There is a subscription of the portal, which begins with everything that is kept."""
    await tx.execute(ADD, SUBSCRIPTION, name, at_once, at)
    await tx.execute(BEGIN, SUBSCRIPTION)


OLDEST = """
SELECT min(occurred_at) FROM (
    (SELECT j.occurred_at FROM delivery d JOIN journal j USING (seq)
     WHERE d.subscription_id = $1 AND d.given_up_at IS NULL AND NOT d.replayed ORDER BY d.seq LIMIT 1)
    UNION ALL
    (SELECT j.occurred_at FROM journal j
     WHERE j.seq > (SELECT greatest(position, replay_until) FROM delivery_line WHERE subscription_id = $1)
     ORDER BY j.seq LIMIT 1)) AS waiting
"""
GIVEN_UP = "SELECT count(*) FROM delivery WHERE subscription_id = $1 AND given_up_at IS NOT NULL"


async def oldest(db: Database) -> datetime | None:
    """When the oldest event that the portal does not have happened; a replay does not count, nor what was given up."""
    moment: datetime | None = await db.fetchval(OLDEST, SUBSCRIPTION)
    return moment


async def given_up(db: Database) -> int:
    """Events that the portal never took."""
    return int(await db.fetchval(GIVEN_UP, SUBSCRIPTION))


HEARD = """
SELECT DISTINCT j.dossier_code FROM journal j
WHERE j.recorded_at >= $3 AND j.channel = $2
  AND j.seq <= (SELECT position FROM delivery_line WHERE subscription_id = $1)
  AND NOT EXISTS (
      SELECT FROM delivery d WHERE d.subscription_id = $1 AND d.channel = j.channel
      AND d.dossier_code = j.dossier_code AND d.given_up_at IS NULL)
ORDER BY j.dossier_code
"""


async def heard(db: Database, channel: str, since: datetime) -> list[str]:
    """Dossiers of which something was heard since then, and of which nothing is on its way to the portal now."""
    return [row["dossier_code"] for row in await db.fetch(HEARD, SUBSCRIPTION, channel, since)]


LIFE = """
SELECT seq, event_id, type, channel, dossier_code, version, occurred_at, traceparent, body,
       procedure_code, receiving_unit, competent_unit
FROM journal WHERE channel = $1 AND dossier_code = $2 ORDER BY version
"""


async def life(db: Database, channel: str, dossier_code: str) -> Sequence[Entry]:
    """All that is kept of one dossier, oldest first."""
    return [entry(row) for row in await db.fetch(LIFE, channel, dossier_code)]

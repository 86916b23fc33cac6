"""Who read what, and the inspections that allow it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from kit import ids
from kit.clock import now
from kit.db import Connection, Database

LOG = """
INSERT INTO reading (dossier_code, officer_ref, unit, right_to_read, what, reason, at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


async def log(
    db: Database | Connection, code: str, officer: UUID, unit: str, right: str, what: str, reason: str | None
) -> None:
    """An officer reads; without this line nothing is shown."""
    await db.execute(LOG, code, officer, unit, right, what, reason, now())


READINGS = """
SELECT officer_ref, unit, right_to_read, what, reason, at FROM reading
WHERE dossier_code = $1 AND id < coalesce($2, 9223372036854775807) ORDER BY id DESC LIMIT $3
"""


async def readings(db: Database, code: str, before: int | None, limit: int) -> list[dict[str, Any]]:
    """Who looked at the dossier, the newest first."""
    return [dict(row) for row in await db.fetch(READINGS, code, before, limit)]


OPEN = """
INSERT INTO inspection (id, dossier_code, officer_ref, unit, reason, opened_at, ends_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


async def inspect(
    tx: Connection, code: str, officer: UUID, unit: str, reason: str, opened_at: datetime, ends_at: datetime
) -> UUID:
    """An inspection begins; its id."""
    inspection = ids.new()
    await tx.execute(OPEN, inspection, code, officer, unit, reason, opened_at, ends_at)
    return inspection


OPEN_OF = """
SELECT reason FROM inspection WHERE dossier_code = $1 AND officer_ref = $2 AND ends_at > $3
ORDER BY opened_at DESC LIMIT 1
"""


async def reason_of(db: Database | Connection, code: str, officer: UUID) -> str | None:
    """Why the officer inspects the dossier now; None when they gave no reason, or too long ago."""
    reason: str | None = await db.fetchval(OPEN_OF, code, officer, now())
    return reason

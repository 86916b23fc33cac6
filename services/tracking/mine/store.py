"""Every SQL statement of a citizen's folders and of one dossier's history."""

from datetime import datetime
from uuid import UUID

import asyncpg

from kit.db import Connection, Database

HISTORY = "SELECT type, at, unit, detail FROM history WHERE code = $1 ORDER BY at, source, version"


async def history(db: Database | Connection, code: str) -> list[asyncpg.Record]:
    """All that happened, oldest first; facts of the same moment in the order of their source."""
    return await db.fetch(HISTORY, code)


MESSAGES_ABOUT = "SELECT template, channel, reason, at FROM message_view WHERE code = $1 ORDER BY at, message_id"


async def messages_about(db: Database | Connection, code: str) -> list[asyncpg.Record]:
    return await db.fetch(MESSAGES_ABOUT, code)


COUNT_FOLDERS = """
SELECT folder, count(*) AS count FROM dossier_view
WHERE version > 0 AND (owner_ref = $1 OR (submitter_ref = $1 AND submitter_ref <> owner_ref))
GROUP BY folder
"""


async def count_folders(db: Database, account: UUID) -> dict[str, int]:
    return {row["folder"]: row["count"] for row in await db.fetch(COUNT_FOLDERS, account)}


OF_ACCOUNT = """
SELECT * FROM dossier_view
WHERE version > 0 AND (owner_ref = $1 OR (submitter_ref = $1 AND submitter_ref <> owner_ref))
  AND ($2::text IS NULL OR folder = $2) AND (submitted_at, code) < ($3, $4)
ORDER BY submitted_at DESC, code DESC LIMIT $5
"""


async def of_account(
    db: Database, account: UUID, folder: str | None, before: tuple[datetime, str], limit: int
) -> list[asyncpg.Record]:
    """Dossiers that the account may follow, newest first, after the one named by `before`."""
    return await db.fetch(OF_ACCOUNT, account, folder, *before, limit)

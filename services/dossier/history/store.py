"""The history in the database. The database links each line to the one before it (migration 0008)."""

from collections.abc import Sequence
from typing import Any

from kit.db import Connection, Database
from services.dossier.history.domain import Head
from services.dossier.processing.domain import Line

APPEND = """
INSERT INTO history (dossier_code, act, label, at, actor_ref, unit, from_state, to_state, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""


async def append(tx: Connection, code: str, lines: Sequence[Line]) -> None:
    """More lines, in this order. The caller holds the dossier's row, or has just created it."""
    rows = [
        (code, line.act, line.label, line.at, line.actor_ref, line.unit, line.from_state, line.to_state, line.reason)
        for line in lines
    ]
    await tx.executemany(APPEND, rows)


OF_DOSSIER = """
SELECT act, label, at, actor_ref, unit, from_state, to_state, reason FROM history WHERE dossier_code = $1 ORDER BY no
"""


async def of_dossier(db: Database | Connection, code: str) -> list[dict[str, Any]]:
    """Every line, oldest first."""
    return [dict(row) for row in await db.fetch(OF_DOSSIER, code)]


LAST = "SELECT no, hash FROM history WHERE dossier_code = $1 ORDER BY no DESC LIMIT 1"


async def head(db: Database | Connection, code: str) -> Head:
    """How far the history is now."""
    row = await db.fetchrow(LAST, code)
    if row is None:
        raise LookupError(f"{code} has no history")
    return Head(row["no"], row["hash"])


CHAIN = """
SELECT act, actor_ref::text AS actor, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at,
    dossier_code AS dossier, from_state AS "from", label, no, prev, reason_digest, to_state AS "to", unit, v, hash,
    reason, salt
FROM history WHERE dossier_code = $1 ORDER BY no
"""


async def chain(db: Database | Connection, code: str) -> list[dict[str, Any]]:
    """Every line as it stands in a history file."""
    return [dict(row) for row in await db.fetch(CHAIN, code)]

"""The log of access: the application adds to it and reads it, and can do nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from kit.auth import OfficerToken
from kit.db import Connection, Database
from services.tracking.access.domain import Scope

MOST_CODES = 1000
"""Codes kept with one line: those of a page, or the first of an export."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What an officer was shown."""

    what: str
    criteria: Mapping[str, Any]
    """What was asked for; never a person's name or number."""
    codes: Sequence[str]
    rows: int


RECORD = """
INSERT INTO access (officer_ref, unit, roles, what, access_right, reason, criteria, rows, codes)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""


async def record(tx: Connection, who: OfficerToken, scope: Scope, looked: Looked) -> None:
    """An officer looks; without this line nothing is shown."""
    await tx.execute(
        RECORD, who.ref, who.unit, sorted(who.roles), looked.what, scope.right, scope.reason,
        dict(looked.criteria), looked.rows, list(looked.codes[:MOST_CODES]),
    )  # fmt: skip


ACCESSES = """
SELECT id, at, officer_ref, unit, roles, what, access_right, reason, criteria, rows, codes FROM access
WHERE id < $1 AND ($2::uuid IS NULL OR officer_ref = $2)
ORDER BY id DESC LIMIT $3
"""
ACCESSES_TO = """
SELECT id, at, officer_ref, unit, roles, what, access_right, reason, criteria, rows, codes FROM access
WHERE id < $1 AND codes @> ARRAY[$2::text] AND ($3::uuid IS NULL OR officer_ref = $3)
ORDER BY id DESC LIMIT $4
"""


async def accesses(
    db: Database, code: str | None, officer: UUID | None, before: int, limit: int
) -> list[asyncpg.Record]:
    """Who looked at what, or at one dossier; the newest first."""
    if code is None:
        return await db.fetch(ACCESSES, before, officer, limit)
    return await db.fetch(ACCESSES_TO, before, code, officer, limit)

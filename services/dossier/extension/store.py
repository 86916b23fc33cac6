"""Decisions to move an appointment."""

from typing import Any

import asyncpg
from pydantic import TypeAdapter

from kit.db import Connection, Database
from services.dossier.extension.domain import Extension, NoExtensionWaits

EXTENSION: TypeAdapter[Extension] = TypeAdapter(Extension)

DECIDE = """
INSERT INTO deadline_extension
    (id, dossier_code, kind, reason, legal_basis, new_due_at, decided_by, decided_unit, decided_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""


async def decide(tx: Connection, extension: Extension) -> None:
    """The caller holds the dossier's row."""
    await tx.execute(
        DECIDE, extension.id, extension.dossier_code, extension.kind, extension.reason, extension.legal_basis,
        extension.new_due_at, extension.decided_by, extension.decided_unit, extension.decided_at,
    )  # fmt: skip


PUBLISH = """
UPDATE deadline_extension SET old_due_at = $2, published_by = $3, published_at = $4, mau04_ref = $5 WHERE id = $1
"""


async def publish(tx: Connection, extension: Extension) -> None:
    await tx.execute(
        PUBLISH, extension.id, extension.old_due_at, extension.published_by, extension.published_at,
        extension.mau04_ref,
    )  # fmt: skip


DROP = "DELETE FROM deadline_extension WHERE dossier_code = $1 AND published_at IS NULL"


async def drop(tx: Connection, code: str) -> None:
    """The decision is taken back before the applicant heard of it."""
    await tx.execute(DROP, code)


OF_DOSSIER = "SELECT * FROM deadline_extension WHERE dossier_code = $1 ORDER BY decided_at, id"
WAITING = "SELECT * FROM deadline_extension WHERE dossier_code = $1 AND published_at IS NULL"


async def of_dossier(db: Connection | Database, code: str) -> list[Extension]:
    """Every decision about the dossier, oldest first."""
    return [_extension(row) for row in await db.fetch(OF_DOSSIER, code)]


async def waiting(tx: Connection, code: str) -> Extension:
    """The decision that waits for the desk; NoExtensionWaits when there is none."""
    row = await tx.fetchrow(WAITING, code)
    if row is None:
        raise NoExtensionWaits
    return _extension(row)


def _extension(row: asyncpg.Record) -> Extension:
    fields: dict[str, Any] = dict(row)
    return EXTENSION.validate_python(fields)

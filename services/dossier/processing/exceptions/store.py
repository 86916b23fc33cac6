"""Exceptions granted, and used."""

from uuid import UUID

from kit import ids
from kit.clock import now
from kit.db import Connection
from services.dossier.processing.exceptions.domain import Rule

GRANT = """
INSERT INTO exception_granted (id, dossier_code, rule, reason, granted_by, unit, granted_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING id
"""


async def grant(tx: Connection, code: str, rule: Rule, reason: str, by: UUID, unit: str) -> UUID | None:
    """The exception's id; None when one waits to be used already."""
    granted: UUID | None = await tx.fetchval(GRANT, ids.new(), code, rule, reason, by, unit, now())
    return granted


USE = """
UPDATE exception_granted SET used_at = $3, used_by = $4
WHERE dossier_code = $1 AND rule = $2 AND used_at IS NULL RETURNING id
"""


async def use(tx: Connection, code: str, rule: Rule, by: UUID) -> bool:
    """Whether the rule may be passed over this once. The caller holds the dossier's row, and asks when refused."""
    return await tx.fetchval(USE, code, rule, now(), by) is not None

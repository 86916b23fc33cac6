"""Standing orders: which specialist gets new dossiers without being asked."""

from datetime import datetime
from typing import Any
from uuid import UUID

from kit.db import Connection, Database
from services.dossier.processing.domain import Dossier

GIVE = """
INSERT INTO standing_assignment (unit, procedure_code, officer_ref, since, ordered_by) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
"""
TAKE = "DELETE FROM standing_assignment WHERE unit = $1 AND procedure_code = $2 AND officer_ref = $3"
LIST = """
SELECT procedure_code, officer_ref, since, ordered_by FROM standing_assignment WHERE unit = $1
ORDER BY procedure_code, since, officer_ref
"""


async def give(tx: Connection, unit: str, procedure: str, officer: UUID, since: datetime, by: UUID) -> None:
    """From now on, new dossiers of the procedure (any, when empty) may go to this specialist."""
    await tx.execute(GIVE, unit, procedure, officer, since, by)


async def take(tx: Connection, unit: str, procedure: str, officer: UUID) -> None:
    await tx.execute(TAKE, unit, procedure, officer)


async def standing(db: Database, unit: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await db.fetch(LIST, unit)]


NEXT = """
SELECT a.officer_ref FROM standing_assignment a
WHERE a.unit = $1 AND a.procedure_code IN ($2, '')
ORDER BY a.procedure_code DESC, (
    SELECT count(*) FROM dossier d WHERE d.current_unit = $1 AND d.assignee_ref = a.officer_ref
      AND d.state IN ('assigned', 'in_process', 'consulting', 'awaiting_financial_obligation')), a.since, a.officer_ref
LIMIT 1
"""


async def whose_turn(tx: Connection, dossier: Dossier) -> UUID | None:
    """The specialist of the unit, by standing order for this procedure before any, with the least work at hand."""
    officer: UUID | None = await tx.fetchval(NEXT, dossier.current_unit, dossier.facts.procedure_code)
    return officer

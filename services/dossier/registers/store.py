"""What the registers are read from."""

from datetime import datetime
from uuid import UUID

from kit.clock import now
from kit.db import Connection, Database
from services.dossier.history import store as history
from services.dossier.processing.domain import Act, Line, State
from services.dossier.processing.reading.domain import Right
from services.dossier.registers.domain import MOST_ROWS, Entry


async def lines_of(db: Database | Connection, code: str) -> list[Line]:
    """The history of a dossier, oldest line first."""
    return [
        Line(
            Act(row["act"]), row["label"], row["at"], row["actor_ref"], row["unit"],
            State(row["from_state"]) if row["from_state"] else None, State(row["to_state"]), row["reason"],
        )
        for row in await history.of_dossier(db, code)
    ]  # fmt: skip


REGISTER = """
SELECT d.code, d.procedure_name, d.owner_name, p.details, d.competent_unit, d.state, d.accepted_at, d.due_at,
    d.returned_at, d.outcome, d.delivery, h.receiver_name
FROM dossier d
LEFT JOIN particulars p ON p.dossier_code = d.code
LEFT JOIN handover h ON h.dossier_code = d.code
WHERE d.receiving_unit = $1 AND d.accepted_at >= $2 AND d.accepted_at < $3
ORDER BY d.accepted_at, d.code LIMIT $4
"""


async def register(db: Database | Connection, unit: str, since: datetime, until: datetime) -> list[Entry]:
    """What the unit took in from `since` until before `until`, the earliest first; one row more than fit at most."""
    rows = await db.fetch(REGISTER, unit, since, until, MOST_ROWS + 1)
    return [Entry(**dict(row)) for row in rows]


READ = """
INSERT INTO reading (dossier_code, officer_ref, unit, right_to_read, what, at)
SELECT code, $2, $3, $4, 'register', $5 FROM unnest($1::text[]) code
"""


async def log(db: Database | Connection, entries: list[Entry], officer: UUID, unit: str) -> None:
    """The officer reads these rows: remembered with each dossier."""
    await db.execute(READ, [entry.code for entry in entries], officer, unit, Right.UNIT, now())

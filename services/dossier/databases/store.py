"""The log of look-ups: who asked what for, by which law, when, and whether there was an answer. Never the data, nor
whom it was about but for a keyed digest."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kit.db import Connection, Database
from services.dossier.databases.domain import Outcome, Question

ASK = """
INSERT INTO database_lookup (id, database_code, kind, asked_at, asked_by, purpose, legal_basis, subject_digest,
    draft_id, component_code, outcome)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'asked')
"""


async def write_down(db: Database, lookup_id: UUID, question: Question, subject: bytes, at: datetime) -> None:
    """Before the question leaves: nothing is asked without a trace."""
    await db.execute(
        ASK, lookup_id, question.database, question.kind, at, question.asked_by, question.purpose,
        question.legal_basis, subject, question.draft_id, question.component_code,
    )  # fmt: skip


ANSWERED = "UPDATE database_lookup SET outcome = $2, answered_at = $3 WHERE id = $1 AND outcome = 'asked'"


async def answered(db: Database, lookup_id: UUID, outcome: Outcome, at: datetime) -> None:
    await db.execute(ANSWERED, lookup_id, outcome, at)


BELONG = "UPDATE database_lookup SET dossier_code = $2 WHERE id = ANY ($1::uuid[])"


async def belong(tx: Connection, lookups: Sequence[UUID], code: str) -> None:
    """These look-ups were made for the dossier."""
    await tx.execute(BELONG, list(lookups), code)


OF_DOSSIER = """
SELECT id, database_code, kind, component_code, purpose, legal_basis, outcome, asked_at FROM database_lookup
WHERE dossier_code = $1 ORDER BY asked_at, id
"""


@dataclass(frozen=True, slots=True)
class LookupLine:
    """One look-up of a dossier."""

    id: UUID
    database_code: str
    kind: str
    component_code: str | None
    purpose: str
    legal_basis: str
    outcome: str
    asked_at: datetime


async def of_dossier(db: Database | Connection, code: str) -> list[LookupLine]:
    """In the order in which they were asked."""
    return [LookupLine(**row) for row in await db.fetch(OF_DOSSIER, code)]


FOUND = """
SELECT DISTINCT component_code FROM database_lookup
WHERE dossier_code = $1 AND outcome = 'found' AND component_code IS NOT NULL
"""


async def found(tx: Connection, code: str) -> set[str]:
    """Codes of the components that a database's data stand for."""
    return {row["component_code"] for row in await tx.fetch(FOUND, code)}

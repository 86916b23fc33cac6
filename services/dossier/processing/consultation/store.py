"""Questions to other units, and their answers."""

from typing import Any
from uuid import UUID

import asyncpg

from contracts.dossier import ConsultationOutcome
from kit.db import Connection, Database
from services.dossier.processing.consultation.domain import Consultation, ConsultationClosed

ASK = """
INSERT INTO consultation (id, dossier_code, asking_unit, consulted_unit, question, asked_by, asked_at, due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""


async def ask(tx: Connection, asked: Consultation) -> None:
    """The caller holds the dossier's row."""
    await tx.execute(
        ASK, asked.id, asked.dossier_code, asked.asking_unit, asked.consulted_unit, asked.question, asked.asked_by,
        asked.asked_at, asked.due_at,
    )  # fmt: skip


ANSWER = "UPDATE consultation SET outcome = $2, answer = $3, answered_by = $4, answered_at = $5 WHERE id = $1"


async def answer(tx: Connection, ended: Consultation) -> None:
    """The caller holds the dossier's row."""
    await tx.execute(ANSWER, ended.id, ended.outcome, ended.answer, ended.answered_by, ended.answered_at)


READ = "SELECT * FROM consultation WHERE id = $1"
OF_DOSSIER = "SELECT * FROM consultation WHERE dossier_code = $1 ORDER BY asked_at"


async def read(tx: Connection, consultation_id: UUID) -> Consultation:
    """ConsultationClosed when there is no such question."""
    row = await tx.fetchrow(READ, consultation_id)
    if row is None:
        raise ConsultationClosed
    return _consultation(row)


async def of_dossier(db: Database | Connection, code: str) -> list[Consultation]:
    return [_consultation(row) for row in await db.fetch(OF_DOSSIER, code)]


def _consultation(row: asyncpg.Record) -> Consultation:
    fields: dict[str, Any] = dict(row)
    outcome = fields.pop("outcome")
    return Consultation(**fields, outcome=ConsultationOutcome(outcome) if outcome else None)

"""Members of interlinked dossiers in the database, and questions about results that went upstream."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter

from contracts.dossier import MemberState, QuestionOutcome
from kit.db import Connection, Database
from kit.problems import NotFound
from services.dossier.interlinked.domain import Branch, Doubt
from services.dossier.interlinked.groups.domain import Member
from services.dossier.processing.domain import State

MEMBER: TypeAdapter[Member] = TypeAdapter(Member)

OPEN = """
INSERT INTO interlinked_member (parent_code, position, code, plan, procedure_id, procedure_name, unit, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""


async def open_members(tx: Connection, parent_code: str, branches: Sequence[Branch]) -> None:
    """What the parent consists of, as its group's file says today."""
    rows = [
        (parent_code, place, branch.code, MEMBER.dump_python(branch.plan, mode="json"), branch.procedure_id,
         branch.procedure_name, branch.unit, branch.state)
        for place, branch in enumerate(branches)
    ]  # fmt: skip
    await tx.executemany(OPEN, rows)


BRANCHES = """
SELECT m.plan, m.procedure_id, m.procedure_name, m.unit, m.state AS said, m.dossier_code, m.not_started,
    m.acknowledged_at, d.state AS dossier_state, d.result_at, d.accepted_at
FROM interlinked_member m LEFT JOIN dossier d ON d.code = m.dossier_code
WHERE m.parent_code = $1 ORDER BY m.position
"""


async def branches(db: Database | Connection, parent_code: str) -> list[Branch]:
    """The parent's members and where their dossiers are, in order; empty for a dossier that is no parent."""
    return [_branch(row) for row in await db.fetch(BRANCHES, parent_code)]


def _branch(row: asyncpg.Record) -> Branch:
    return Branch(
        plan=MEMBER.validate_python(row["plan"]),
        procedure_id=row["procedure_id"],
        procedure_name=row["procedure_name"],
        unit=row["unit"],
        dossier_code=row["dossier_code"],
        dossier_state=State(row["dossier_state"]) if row["dossier_state"] else None,
        result_at=row["result_at"],
        accepted_at=row["accepted_at"],
        not_started=row["not_started"],
        acknowledged_at=row["acknowledged_at"],
        said=MemberState(row["said"]),
    )


SAID = "UPDATE interlinked_member SET state = $3, not_started = $4 WHERE parent_code = $1 AND code = $2"


async def said(tx: Connection, parent_code: str, branches: Sequence[Branch]) -> None:
    """Remember where each member was when the parent last spoke of them. The caller holds the parent's row."""
    rows = [(parent_code, branch.code, branch.state, branch.not_started) for branch in branches]
    await tx.executemany(SAID, rows)


STARTED = """
UPDATE interlinked_member SET dossier_code = $3 WHERE parent_code = $1 AND code = $2 AND dossier_code IS NULL
"""


async def started(tx: Connection, parent_code: str, member: str, dossier_code: str) -> None:
    """The member became that dossier. The caller holds the parent's row."""
    await tx.execute(STARTED, parent_code, member, dossier_code)


# ── acknowledgement ───────────────────────────────────────────────────────────────────────────────────────────

IS_ELSEWHERE = """
SELECT m.unit <> p.receiving_unit FROM interlinked_member m JOIN dossier p ON p.code = m.parent_code
WHERE m.dossier_code = $1
"""


async def is_elsewhere(db: Database | Connection, dossier_code: str) -> bool:
    """Whether that dossier is a member that another agency settles than the one that took its parent in."""
    return bool(await db.fetchval(IS_ELSEWHERE, dossier_code))


ACKNOWLEDGED = """
UPDATE interlinked_member SET acknowledged_at = $2, acknowledged_by = $3
WHERE dossier_code = $1 AND acknowledged_at IS NULL
"""


async def acknowledged(tx: Connection, dossier_code: str, at: datetime, by: str) -> None:
    """`by`: the subject of the token, a person's opaque reference or the name of a system."""
    await tx.execute(ACKNOWLEDGED, dossier_code, at, by)


ACKNOWLEDGED_AT = "SELECT acknowledged_at FROM interlinked_member WHERE dossier_code = $1"


async def acknowledged_at(db: Database | Connection, dossier_code: str) -> datetime | None:
    """When the agency confirmed that it has the member; None before it."""
    moment: datetime | None = await db.fetchval(ACKNOWLEDGED_AT, dossier_code)
    return moment


UNACKNOWLEDGED = """
SELECT m.dossier_code, m.parent_code, m.procedure_name, m.unit, p.receiving_unit, c.started_at AS sent_at, c.due_at
FROM interlinked_member m
JOIN clock c ON c.dossier_code = m.dossier_code AND c.kind = 'acknowledgement' AND c.stopped_at IS NULL
JOIN dossier p ON p.code = m.parent_code
WHERE m.unit = $1 OR p.receiving_unit = $1
ORDER BY c.due_at, m.dossier_code LIMIT $2
"""


async def unacknowledged(db: Database, unit: str, limit: int) -> list[asyncpg.Record]:
    """Members that were sent to that unit, or from it, and are not confirmed yet; the most urgent first."""
    return await db.fetch(UNACKNOWLEDGED, unit, limit)


# ── questions about results ───────────────────────────────────────────────────────────────────────────────────

ASK = """
INSERT INTO interlinked_question (id, parent_code, asking_dossier, about_dossier, asking_unit, unit, reason, asked_by,
    asked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""


async def ask(tx: Connection, question: Doubt, asked_by: UUID) -> None:
    await tx.execute(
        ASK, question.id, question.parent_code, question.asking_dossier, question.about_dossier,
        question.asking_unit, question.unit, question.reason, asked_by, question.asked_at,
    )  # fmt: skip


IS_OPEN = """
SELECT EXISTS (
    SELECT FROM interlinked_question WHERE asking_dossier = $1 AND about_dossier = $2 AND answered_at IS NULL)
"""


async def is_open(tx: Connection, asking: str, about: str) -> bool:
    """Whether an earlier question waits for its answer. The caller holds the row of the dossier that it is about."""
    return bool(await tx.fetchval(IS_OPEN, asking, about))


READ_QUESTION = """
SELECT id, parent_code, asking_dossier, about_dossier, asking_unit, unit, reason, asked_at, answered_at, outcome
FROM interlinked_question WHERE id = $1
"""
LOCK_QUESTION = """
SELECT id, parent_code, asking_dossier, about_dossier, asking_unit, unit, reason, asked_at, answered_at, outcome
FROM interlinked_question WHERE id = $1 FOR UPDATE
"""
QUESTIONS = """
SELECT id, parent_code, asking_dossier, about_dossier, asking_unit, unit, reason, asked_at, answered_at, outcome
FROM interlinked_question
WHERE (unit = $1 OR asking_unit = $1) AND ($2 OR answered_at IS NULL) ORDER BY asked_at, id LIMIT $3
"""


async def question(db: Database, question_id: UUID) -> Doubt:
    """The question; NotFound when there is none."""
    return _question(await db.fetchrow(READ_QUESTION, question_id))


async def lock_question(tx: Connection, question_id: UUID) -> Doubt:
    """The question, held until the transaction ends."""
    return _question(await tx.fetchrow(LOCK_QUESTION, question_id))


async def questions(db: Database, unit: str, *, answered: bool, limit: int) -> list[Doubt]:
    """Questions to that unit and by it, the oldest first; with `answered`, those that were answered too."""
    return [_question(row) for row in await db.fetch(QUESTIONS, unit, answered, limit)]


def _question(row: asyncpg.Record | None) -> Doubt:
    if row is None:
        raise NotFound("Không có đề nghị kiểm tra này")
    fields: dict[str, Any] = dict(row)
    outcome = fields.pop("outcome")
    return Doubt(**fields, outcome=QuestionOutcome(outcome) if outcome else None)


ANSWER = "UPDATE interlinked_question SET answered_at = $2, answered_by = $3, outcome = $4 WHERE id = $1"


async def answer(tx: Connection, question: Doubt, by: UUID) -> None:
    await tx.execute(ANSWER, question.id, question.answered_at, by, question.outcome)

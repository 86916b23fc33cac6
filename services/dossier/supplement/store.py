"""Supplement requests and their violations."""

from typing import Any
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter

from kit.db import Connection, Database
from kit.problems import NotFound
from services.dossier.processing.domain import Dossier
from services.dossier.supplement.domain import Ask, DraftWaitsAlready, NoSupplementOpen, Reply, Request, Violation

ASK: TypeAdapter[Ask] = TypeAdapter(Ask)
REPLY: TypeAdapter[Reply] = TypeAdapter(Reply)
REQUEST: TypeAdapter[Request] = TypeAdapter(Request)

SAVE = """
INSERT INTO supplement_request (id, dossier_code, stage, state, round, ask, reply, requested_by, requested_unit,
    drafted_at, approved_by, issued_by, issued_unit, issued_at, due_at, answered_at, violations, mau02_ref)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, round = excluded.round, ask = excluded.ask,
    reply = excluded.reply, approved_by = excluded.approved_by, issued_by = excluded.issued_by,
    issued_unit = excluded.issued_unit, issued_at = excluded.issued_at, due_at = excluded.due_at,
    answered_at = excluded.answered_at, violations = excluded.violations, mau02_ref = excluded.mau02_ref
"""


async def save(tx: Connection, request: Request) -> None:
    """A request, new or changed. The caller holds the dossier's row."""
    await tx.execute(
        SAVE, request.id, request.dossier_code, request.stage, request.state, request.round,
        ASK.dump_python(request.ask, mode="json"), REPLY.dump_python(request.reply, mode="json"),
        request.requested_by, request.requested_unit, request.drafted_at, request.approved_by, request.issued_by,
        request.issued_unit, request.issued_at, request.due_at, request.answered_at, list(request.violations),
        request.mau02_ref,
    )  # fmt: skip


OF_DOSSIER = "SELECT * FROM supplement_request WHERE dossier_code = $1 ORDER BY drafted_at, id"
OPEN = "SELECT * FROM supplement_request WHERE dossier_code = $1 AND state = 'open'"
ONE = "SELECT * FROM supplement_request WHERE dossier_code = $1 AND id = $2"
WAITING = """
SELECT EXISTS (SELECT FROM supplement_request WHERE dossier_code = $1 AND state IN ('drafted', 'approved'))
"""
LAST_ISSUED = """
SELECT * FROM supplement_request WHERE dossier_code = $1 AND round IS NOT NULL ORDER BY round DESC LIMIT 1
"""


async def of_dossier(db: Database | Connection, code: str) -> list[Request]:
    """Every request about the dossier, drafts too, oldest first."""
    return [_request(row) for row in await db.fetch(OF_DOSSIER, code)]


async def open_of(db: Database | Connection, code: str) -> Request:
    """The one open request; NoSupplementOpen when nothing is asked for."""
    row = await db.fetchrow(OPEN, code)
    if row is None:
        raise NoSupplementOpen
    return _request(row)


async def one(tx: Connection, code: str, request_id: UUID) -> Request:
    row = await tx.fetchrow(ONE, code, request_id)
    if row is None:
        raise NotFound("Hồ sơ không có yêu cầu bổ sung này")
    return _request(row)


async def demand_no_draft(tx: Connection, code: str) -> None:
    """DraftWaitsAlready when a specialist's draft waits. The caller holds the dossier's row."""
    if await tx.fetchval(WAITING, code):
        raise DraftWaitsAlready


async def last_issued(tx: Connection, code: str) -> Request | None:
    """The request that was issued last: the next one's round follows its."""
    row = await tx.fetchrow(LAST_ISSUED, code)
    return _request(row) if row else None


def _request(row: asyncpg.Record) -> Request:
    fields: dict[str, Any] = {name: value for name, value in row.items() if name != "answers_before"}
    return REQUEST.validate_python(fields)


CHANGE_ANSWERS = "UPDATE dossier SET answers = $2 WHERE code = $1"
KEEP_ANSWERS = "UPDATE supplement_request SET answers_before = $2 WHERE id = $1"


async def change_answers(tx: Connection, request: Request, before: Dossier, after: Dossier) -> None:
    """The e-form was answered anew; what it said before stays with the request."""
    if before.facts.answers != after.facts.answers:
        await tx.execute(CHANGE_ANSWERS, after.code, after.facts.answers)
        await tx.execute(KEEP_ANSWERS, request.id, before.facts.answers)


EXPIRE = "UPDATE supplement_request SET state = 'expired' WHERE dossier_code = $1 AND state = 'open'"


async def expire(tx: Connection, code: str) -> None:
    """Nobody answered in time."""
    await tx.execute(EXPIRE, code)


VIOLATE = """
INSERT INTO supplement_violation
    (request_id, dossier_code, round, why, officer_ref, unit, issued_by, override_reason, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""


async def record(tx: Connection, violation: Violation) -> None:
    """For oversight, in the transaction that issues the request."""
    request = violation.request
    await tx.execute(
        VIOLATE, request.id, request.dossier_code, request.round, list(violation.why), request.requested_by,
        request.requested_unit, request.issued_by, violation.override_reason, request.issued_at,
    )  # fmt: skip


VIOLATIONS = """
SELECT id, dossier_code, round, why, officer_ref, unit, issued_by, override_reason, at FROM supplement_violation
WHERE ($1::text IS NULL OR unit = $1) AND ($2::bigint IS NULL OR id < $2) ORDER BY id DESC LIMIT $3
"""


async def violations(db: Database, unit: str | None, before: int | None, limit: int) -> list[asyncpg.Record]:
    """The newest first; `before` is the last id of the page before."""
    return await db.fetch(VIOLATIONS, unit, before, limit)

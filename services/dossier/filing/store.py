"""Drafts, and the numbers of codes."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from contracts.dossier import DeliveryMethod
from kit.db import Connection, Database
from kit.problems import NotFound
from services.dossier.filing.domain import Draft

CREATE = """
INSERT INTO draft (id, owner_ref, procedure_id, case_code, receiving_unit, answers, delivery, sms_opt_in, version,
    updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""


async def create(tx: Connection, draft: Draft) -> None:
    await tx.execute(
        CREATE, draft.id, draft.owner_ref, draft.procedure_id, draft.case, draft.receiving_unit, draft.answers,
        draft.delivery, draft.sms_opt_in, draft.version, draft.updated_at,
    )  # fmt: skip


READ = """
SELECT id, owner_ref, procedure_id, case_code, receiving_unit, answers, delivery, sms_opt_in, version, dossier_code,
    updated_at
FROM draft WHERE id = $1 AND owner_ref = $2
"""
LOCK = """
SELECT id, owner_ref, procedure_id, case_code, receiving_unit, answers, delivery, sms_opt_in, version, dossier_code,
    updated_at
FROM draft WHERE id = $1 AND owner_ref = $2 FOR UPDATE
"""


async def read(db: Database | Connection, draft_id: UUID, owner_ref: UUID) -> Draft:
    """The owner's draft; NotFound for anybody else's."""
    return _draft(await db.fetchrow(READ, draft_id, owner_ref))


async def lock(tx: Connection, draft_id: UUID, owner_ref: UUID) -> Draft:
    """The owner's draft, held until the transaction ends."""
    return _draft(await tx.fetchrow(LOCK, draft_id, owner_ref))


def _draft(row: asyncpg.Record | None) -> Draft:
    if row is None:
        raise NotFound("Không có hồ sơ chưa gửi này")
    fields: dict[str, Any] = dict(row)
    case, delivery = fields.pop("case_code"), fields.pop("delivery")
    return Draft(**fields, case=case, delivery=DeliveryMethod(delivery) if delivery else None)


SAVE = """
UPDATE draft SET answers = $2, delivery = $3, sms_opt_in = $4, version = $5, updated_at = $6
WHERE id = $1
"""


async def save(tx: Connection, draft: Draft) -> None:
    """The caller holds the row's lock."""
    await tx.execute(
        SAVE, draft.id, draft.answers, draft.delivery, draft.sms_opt_in, draft.version, draft.updated_at
    )  # fmt: skip


DELETE = "DELETE FROM draft WHERE id = $1"


async def delete(tx: Connection, draft_id: UUID) -> None:
    await tx.execute(DELETE, draft_id)


UNSENT = """
SELECT id, owner_ref, procedure_id, case_code, receiving_unit, answers, delivery, sms_opt_in, version, dossier_code,
    updated_at
FROM draft WHERE owner_ref = $1 AND dossier_code IS NULL ORDER BY updated_at DESC, id LIMIT 200
"""


async def unsent(db: Database, owner_ref: UUID) -> list[Draft]:
    """Hồ sơ chưa gửi, newest first."""
    return [_draft(row) for row in await db.fetch(UNSENT, owner_ref)]


NEXT_NUMBER = """
INSERT INTO code_counter (agency, day, last) VALUES ($1, $2, 1)
ON CONFLICT (agency, day) DO UPDATE SET last = code_counter.last + 1
RETURNING last
"""


async def next_number(db: Database, agency: str, day: date) -> int:
    """The next running number of that unit on that local date; taken for good, used or not."""
    number: int = await db.fetchval(NEXT_NUMBER, agency, day)
    return number


MARK_SENT = "UPDATE draft SET dossier_code = $2, updated_at = $3 WHERE id = $1"


async def mark_sent(tx: Connection, draft_id: UUID, code: str, now: datetime) -> None:
    await tx.execute(MARK_SENT, draft_id, code, now)

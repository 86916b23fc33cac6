"""Drafts, what they link to, and the numbers of codes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from contracts.dossier import DeliveryMethod
from kit.db import Connection, Database
from kit.problems import NotFound
from services.dossier.filing.domain import Draft
from services.dossier.parties.store import PERSON, REACH

CREATE = """
INSERT INTO draft (id, keeper_ref, keeper_unit, procedure_id, case_code, receiving_unit, unit_confirmed, answers,
    delivery, sms_opt_in, on_behalf, submitter, owner, reach, copied_from, version, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
"""


async def create(tx: Connection, draft: Draft) -> None:
    await tx.execute(
        CREATE, draft.id, draft.keeper_ref, draft.keeper_unit, draft.procedure_id, draft.case, draft.receiving_unit,
        draft.unit_confirmed, draft.answers, draft.delivery, draft.sms_opt_in, draft.on_behalf, *_private(draft),
        draft.copied_from, draft.version, draft.updated_at,
    )  # fmt: skip


def _private(draft: Draft) -> tuple[Any, ...]:
    people = (draft.submitter, draft.owner)
    return (*(PERSON.dump_python(each, mode="json") for each in people), REACH.dump_python(draft.reach, mode="json"))


READ = """
SELECT id, keeper_ref, keeper_unit, procedure_id, case_code, receiving_unit, unit_confirmed, answers, delivery,
    sms_opt_in, on_behalf, submitter, owner, reach, copied_from, version, dossier_code, updated_at
FROM draft WHERE id = $1 AND keeper_ref = $2
"""
LOCK = """
SELECT id, keeper_ref, keeper_unit, procedure_id, case_code, receiving_unit, unit_confirmed, answers, delivery,
    sms_opt_in, on_behalf, submitter, owner, reach, copied_from, version, dossier_code, updated_at
FROM draft WHERE id = $1 AND keeper_ref = $2 FOR UPDATE
"""


async def read(db: Database | Connection, draft_id: UUID, keeper_ref: UUID) -> Draft:
    """The keeper's draft; NotFound for anybody else's."""
    return _draft(await db.fetchrow(READ, draft_id, keeper_ref))


async def lock(tx: Connection, draft_id: UUID, keeper_ref: UUID) -> Draft:
    """The keeper's draft, held until the transaction ends."""
    return _draft(await tx.fetchrow(LOCK, draft_id, keeper_ref))


def _draft(row: asyncpg.Record | None) -> Draft:
    if row is None:
        raise NotFound("Không có hồ sơ chưa gửi này")
    fields: dict[str, Any] = dict(row)
    delivery = fields.pop("delivery")
    return Draft(
        case=fields.pop("case_code"),
        delivery=DeliveryMethod(delivery) if delivery else None,
        submitter=PERSON.validate_python(fields.pop("submitter")),
        owner=PERSON.validate_python(fields.pop("owner")),
        reach=REACH.validate_python(fields.pop("reach")),
        **fields,
    )


SAVE = """
UPDATE draft SET case_code = $2, receiving_unit = $3, unit_confirmed = $4, answers = $5, delivery = $6,
    sms_opt_in = $7, on_behalf = $8, submitter = $9, owner = $10, reach = $11, version = $12, updated_at = $13
WHERE id = $1
"""


async def save(tx: Connection, draft: Draft) -> None:
    """The caller holds the row's lock."""
    await tx.execute(
        SAVE, draft.id, draft.case, draft.receiving_unit, draft.unit_confirmed, draft.answers, draft.delivery,
        draft.sms_opt_in, draft.on_behalf, *_private(draft), draft.version, draft.updated_at,
    )  # fmt: skip


DELETE = "DELETE FROM draft WHERE id = $1"


async def delete(tx: Connection, draft_id: UUID) -> None:
    await tx.execute(DELETE, draft_id)


UNSENT = """
SELECT id, keeper_ref, keeper_unit, procedure_id, case_code, receiving_unit, unit_confirmed, answers, delivery,
    sms_opt_in, on_behalf, submitter, owner, reach, copied_from, version, dossier_code, updated_at
FROM draft WHERE keeper_ref = $1 AND dossier_code IS NULL ORDER BY updated_at DESC, id LIMIT 200
"""


async def unsent(db: Database, keeper_ref: UUID) -> list[Draft]:
    """Hồ sơ chưa gửi, newest first."""
    return [_draft(row) for row in await db.fetch(UNSENT, keeper_ref)]


MARK_SENT = "UPDATE draft SET dossier_code = $2, updated_at = $3 WHERE id = $1"


async def mark_sent(tx: Connection, draft_id: UUID, code: str, now: datetime) -> None:
    await tx.execute(MARK_SENT, draft_id, code, now)


# ── files that are there already ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Link:
    """A file of a draft that nobody sends: a document of the store, or a file of the dossier it was copied from."""

    id: UUID
    draft_id: UUID
    component_code: str
    document_id: UUID | None
    """The document of the store; None for a file of the copied dossier."""
    file_name: str
    content_type: str
    size: int
    """Bytes."""
    sha256: str
    pages: int


ADD_LINK = """
INSERT INTO draft_link (id, draft_id, component_code, document_id, file_name, content_type, size, sha256, pages)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (draft_id, component_code, sha256) DO NOTHING
"""


async def add_links(tx: Connection, links: Iterable[Link]) -> None:
    """The same file of a component is linked once."""
    rows = [
        (each.id, each.draft_id, each.component_code, each.document_id, each.file_name, each.content_type, each.size,
         each.sha256, each.pages)
        for each in links
    ]  # fmt: skip
    await tx.executemany(ADD_LINK, rows)


LINKS = """
SELECT id, draft_id, component_code, document_id, file_name, content_type, size, sha256, pages FROM draft_link
WHERE draft_id = $1 ORDER BY component_code, id
"""


async def links_of(db: Database | Connection, draft_id: UUID) -> list[Link]:
    return [Link(**dict(row)) for row in await db.fetch(LINKS, draft_id)]


DROP_LINK = "DELETE FROM draft_link WHERE id = $1 AND draft_id = $2"


async def drop_link(tx: Connection, link_id: UUID, draft_id: UUID) -> None:
    await tx.execute(DROP_LINK, link_id, draft_id)


# ── codes ─────────────────────────────────────────────────────────────────────────────────────────────────────

NEXT_NUMBER = """
INSERT INTO code_counter (agency, day, last) VALUES ($1, $2, 1)
ON CONFLICT (agency, day) DO UPDATE SET last = code_counter.last + 1
RETURNING last
"""


async def next_number(db: Database, agency: str, day: date) -> int:
    """The next running number of that unit on that local date; taken for good, used or not."""
    number: int = await db.fetchval(NEXT_NUMBER, agency, day)
    return number

"""The officers' queues, straight from the dossiers: exact at every moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from kit.db import Database
from services.dossier.catalogue.domain import fold


@dataclass(frozen=True, slots=True)
class Wanted:
    """What waits where; None does not matter."""

    states: Sequence[str]
    step_roles: Sequence[str] | None = None
    signed: bool | None = None
    """Whether the leader has signed."""
    at_receiver: bool = False
    """Dossiers that the unit took in count too, wherever they are now."""
    consulted: bool = False
    """Dossiers on which the unit is asked, in place of those it has."""
    unsigned: bool = False
    """Only dossiers whose result lacks its signed file, which is due at once."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a queue: of whom, matching what, after which dossier."""

    assignee: UUID | None = None
    unassigned: bool = False
    search: str = ""
    after: str | None = None
    limit: int = 50


QUEUE = """
WITH waiting AS (
    SELECT d.code, d.procedure_code, d.procedure_name, d.state, d.submitted_at, d.due_at AS appointment_at, d.step,
        d.step_due_at, d.version, d.payment_state, d.assignee_ref, d.current_unit, d.receiving_unit, d.refusal_proposed,
        d.sla_state, coalesce(CASE WHEN $5 THEN k.due_at WHEN $12 THEN r.signature_asked_at
            ELSE least(d.next_due_at, d.step_due_at) END, 'infinity') AS due_at
    FROM dossier d
    LEFT JOIN consultation k ON $5 AND k.dossier_code = d.code AND k.answered_at IS NULL
    LEFT JOIN result r ON $12 AND r.dossier_code = d.code
    WHERE d.state = ANY($2::text[])
      AND (NOT $12 OR r.signature_asked_at IS NOT NULL)
      AND CASE WHEN $5 THEN d.consulted_unit = $1 ELSE d.current_unit = $1 OR ($4 AND d.receiving_unit = $1) END
      AND ($3::text[] IS NULL OR coalesce(d.step_role, 'specialist') = ANY($3::text[]))
      AND ($6::boolean IS NULL OR (d.approved_at IS NOT NULL) = $6)
      AND ($7::uuid IS NULL OR d.assignee_ref = $7)
      AND (NOT $8 OR d.assignee_ref IS NULL)
      AND ($9 = '' OR d.search_text LIKE '%' || $9 || '%'))
SELECT *, (SELECT count(*) FROM waiting) AS total FROM waiting
WHERE $10::text IS NULL OR (due_at, code) > (SELECT w.due_at, w.code FROM waiting w WHERE w.code = $10)
ORDER BY due_at, code LIMIT $11
"""


async def queue(db: Database, unit: str, wanted: Wanted, page: Page) -> list[asyncpg.Record]:
    """What waits for somebody of the unit, the most urgent first; `after` is the last code of the page before."""
    return await db.fetch(
        QUEUE, unit, list(wanted.states), wanted.step_roles and list(wanted.step_roles), wanted.at_receiver,
        wanted.consulted, wanted.signed, page.assignee, page.unassigned, _pattern(page.search), page.after, page.limit,
        wanted.unsigned,
    )  # fmt: skip


def _pattern(search: str) -> str:
    """What was typed, found as it stands: without diacritics, and no letter of it a wildcard."""
    typed: str = fold(search.strip())
    return typed.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def item(row: asyncpg.Record) -> dict[str, Any]:
    """The row as data; a dossier that nothing hurries has no `due_at`."""
    fields = dict(row)
    fields.pop("total")
    hurried = fields["due_at"].year < 9000
    return {**fields, "due_at": fields["due_at"] if hurried else None}

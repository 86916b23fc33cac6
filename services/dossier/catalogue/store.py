"""The catalogue in the database: every version ever loaded or proposed, and on which days each counts."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from contracts.dossier import ServiceLevel
from kit import ids
from kit.clock import now
from kit.db import Connection, Database
from services.dossier.catalogue.domain import Procedure, fold, search_text
from services.dossier.clocks.calendar import HANOI
from services.dossier.tenant import PROCEDURE


def today() -> date:
    """The local date, by which versions and rates change."""
    return now().astimezone(HANOI).date()


# ── publishing ──

LOCK = "SELECT pg_advisory_xact_lock(7021653)"
KNOWN = "SELECT content_hash FROM procedure"
ADD = """
INSERT INTO procedure (id, code, version, content_hash, definition, search_text, proposed_by)
SELECT $1, $2, greatest($3, 1 + coalesce(max(version), 0)), $4, $5, $6, $7
FROM procedure WHERE code = $2
RETURNING version
"""


async def publish(tx: Connection, procedures: Iterable[Procedure]) -> int:
    """Let these versions count where their content is new; how many were. Safe from several replicas at once.

    Content that was seen before is left as it is: an old replica that restarts during an upgrade takes nothing back.
    """
    await tx.execute(LOCK)
    known = {row["content_hash"] for row in await tx.fetch(KNOWN)}
    new = [procedure for procedure in procedures if content_hash(procedure) not in known]
    for procedure in new:
        procedure_id, _ = await _add(tx, procedure, None)
        await put_in_force(tx, procedure_id, procedure)
    return len(new)


async def _add(tx: Connection, procedure: Procedure, proposer: UUID | None) -> tuple[UUID, int]:
    procedure_id, definition = ids.new(), PROCEDURE.dump_python(procedure, mode="json")
    number = await tx.fetchval(
        ADD, procedure_id, procedure.code, procedure.version, content_hash(procedure), definition,
        search_text(procedure), proposer,
    )  # fmt: skip
    return procedure_id, number


def content_hash(procedure: Procedure) -> str:
    """Names the content, whatever its comments and layout, and whatever a newer release knows besides."""
    data = PROCEDURE.dump_python(procedure, mode="json", exclude_defaults=True)
    return hashlib.sha256(json.dumps(data, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


SUPERSEDE = """
UPDATE procedure_listing SET superseded_from = $2 WHERE code = $1 AND superseded_from > $2
"""
LIST = """
INSERT INTO procedure_listing (procedure_id, code, valid_from, closes_after, retired, name, summary, sort_name,
    search_text, field_code, field_name, agency_level, service_level, unit_levels, units, audience, life_events,
    member_only)
VALUES ($1, $2, $3, coalesce($4, 'infinity'::date), $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
"""


async def put_in_force(tx: Connection, procedure_id: UUID, procedure: Procedure) -> date:
    """The version counts from its effective date on, from now on if that is past, in place of every other; since when.

    What was to come later is superseded too: of two versions with a future, the one published last is meant.
    """
    since = max(procedure.effective_from or date.min, today())
    await tx.execute(SUPERSEDE, procedure.code, since)
    levels: dict[str, ServiceLevel] = {offer.unit: offer.service_level for offer in procedure.offers}
    await tx.execute(
        LIST, procedure_id, procedure.code, since, procedure.effective_to, procedure.retired, procedure.name,
        procedure.summary, fold(procedure.name), search_text(procedure), procedure.field.code, procedure.field.name,
        procedure.competent_level, procedure.service_level, levels, [*procedure.units], [*procedure.audience],
        [*procedure.life_events], procedure.member_only,
    )  # fmt: skip
    return since


# ── proposals: one officer proposes, another publishes ──


async def propose(tx: Connection, procedure: Procedure, proposer: UUID) -> int | None:
    """Keep a version that does not count yet; its number, or None when the very same content is there already."""
    await tx.execute(LOCK)
    if content_hash(procedure) in {row["content_hash"] for row in await tx.fetch(KNOWN)}:
        return None
    return (await _add(tx, procedure, proposer))[1]


PROPOSAL = """
SELECT p.id, p.version, p.definition, p.proposed_by, l.procedure_id IS NOT NULL AS published
FROM procedure p LEFT JOIN procedure_listing l ON l.procedure_id = p.id
WHERE p.code = $1 AND p.version = $2
"""
SIGN_OFF = "UPDATE procedure SET published_by = $2 WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A version with who proposed it; nobody for one that came with the tenant's files."""

    id: UUID
    procedure: Procedure
    proposed_by: UUID | None
    published: bool


async def proposal(tx: Connection, code: str, number: int) -> Proposal | None:
    """One version of a procedure, held against two who publish it at once."""
    await tx.execute(LOCK)
    row = await tx.fetchrow(PROPOSAL, code, number)
    if row is None:
        return None
    return Proposal(row["id"], _procedure(row["definition"], row["version"]), row["proposed_by"], row["published"])


async def sign_off(tx: Connection, proposal: Proposal, publisher: UUID) -> date:
    """The proposed version counts; since when."""
    await tx.execute(SIGN_OFF, proposal.id, publisher)
    return await put_in_force(tx, proposal.id, proposal.procedure)


# ── reading ──

CURRENT = """
SELECT p.id, p.version, p.definition FROM procedure_listing l JOIN procedure p ON p.id = l.procedure_id
WHERE l.code = $1 AND l.valid_from <= $2 AND l.superseded_from > $2
ORDER BY p.version DESC LIMIT 1
"""


async def current(db: Database | Connection, code: str, on: date | None = None) -> tuple[UUID, Procedure] | None:
    """The version that new drafts use on that local date, today without one. It may be retired or closed."""
    row = await db.fetchrow(CURRENT, code, on or today())
    if row is None:
        return None
    found = _versions.setdefault(row["id"], _procedure(row["definition"], row["version"]))
    return row["id"], found


VERSION = "SELECT version, definition FROM procedure WHERE id = $1"
IS_CURRENT = """
SELECT EXISTS (SELECT FROM procedure_listing WHERE procedure_id = $1 AND valid_from <= $2 AND superseded_from > $2)
"""

_versions: dict[UUID, Procedure] = {}
"""Rows that were read before; a version never changes."""


async def version(db: Database | Connection, procedure_id: UUID) -> tuple[Procedure, bool]:
    """The version a draft or dossier was made with, and whether it is the current one today."""
    procedure = _versions.get(procedure_id)
    if procedure is None:
        row = await db.fetchrow(VERSION, procedure_id)
        if row is None:
            raise KeyError(procedure_id)
        procedure = _versions[procedure_id] = _procedure(row["definition"], row["version"])
    return procedure, await db.fetchval(IS_CURRENT, procedure_id, today())


IN_FORCE = """
SELECT p.version, p.definition FROM procedure_listing l JOIN procedure p ON p.id = l.procedure_id
WHERE l.valid_from <= $1 AND l.superseded_from > $1
"""


async def in_force(db: Database | Connection) -> list[Procedure]:
    """Every current procedure, retired ones too: what a new version may refer to."""
    return [_procedure(row["definition"], row["version"]) for row in await db.fetch(IN_FORCE, today())]


NUMBERED = "SELECT id, version, definition FROM procedure WHERE code = $1 AND version = $2"


async def numbered(db: Database | Connection, code: str, number: int) -> tuple[UUID, Procedure] | None:
    """A version by its number."""
    row = await db.fetchrow(NUMBERED, code, number)
    return (row["id"], _procedure(row["definition"], row["version"])) if row else None


HISTORY = """
SELECT p.version, p.loaded_at, p.proposed_by IS NOT NULL AS by_officers, l.valid_from, l.superseded_from,
    l.closes_after, coalesce(l.retired, false) AS retired
FROM procedure p LEFT JOIN procedure_listing l ON l.procedure_id = p.id
WHERE p.code = $1 ORDER BY p.version DESC
"""


@dataclass(frozen=True, slots=True)
class VersionLine:
    """When one version counts; no dates while it is only proposed."""

    version: int
    loaded_at: datetime
    by_officers: bool
    valid_from: date | None
    superseded_from: date | None
    closes_after: date | None
    retired: bool


async def history(db: Database, code: str) -> list[VersionLine]:
    """Every version, newest first."""
    return [VersionLine(**row) for row in await db.fetch(HISTORY, code)]


def _procedure(definition: Any, number: int) -> Procedure:
    if not isinstance(definition, dict):
        raise TypeError("a procedure's definition is an object")
    return PROCEDURE.validate_python({**definition, "version": number})

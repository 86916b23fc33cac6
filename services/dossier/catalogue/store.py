"""The catalogue in the database: every version ever loaded, and which one is current."""

import hashlib
import json
from collections.abc import Iterable
from uuid import UUID

from kit import ids
from kit.db import Connection, Database
from services.dossier.catalogue.domain import Procedure, fold, search_text
from services.dossier.tenant import PROCEDURE

LOCK = "SELECT pg_advisory_xact_lock(7021653)"
KNOWN = "SELECT content_hash FROM procedure"
RETIRE = "UPDATE procedure SET is_current = false WHERE code = $1 AND is_current"
PUBLISH = """
INSERT INTO procedure (id, code, version, content_hash, definition, search_text, is_current)
SELECT $1, $2, greatest($3, 1 + coalesce(max(version), 0)), $4, $5, $6, true FROM procedure WHERE code = $2
"""


async def publish(tx: Connection, procedures: Iterable[Procedure]) -> int:
    """Make these versions current where their content is new; how many were. Safe from several replicas at once.

    Content that was seen before is left as it is: an old replica that restarts during an upgrade takes nothing back.
    """
    await tx.execute(LOCK)
    known = {row["content_hash"] for row in await tx.fetch(KNOWN)}
    new = [(procedure, digest) for procedure in procedures if (digest := content_hash(procedure)) not in known]
    for procedure, digest in new:
        await tx.execute(RETIRE, procedure.code)
        definition = PROCEDURE.dump_python(procedure, mode="json")
        text = search_text(procedure)
        await tx.execute(PUBLISH, ids.new(), procedure.code, procedure.version, digest, definition, text)
    return len(new)


def content_hash(procedure: Procedure) -> str:
    """Names the content, whatever its comments and layout."""
    data = PROCEDURE.dump_python(procedure, mode="json")
    return hashlib.sha256(json.dumps(data, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


CURRENT = "SELECT id, version, definition FROM procedure WHERE code = $1 AND is_current"


async def current(db: Database | Connection, code: str) -> tuple[UUID, Procedure] | None:
    """The version that new drafts use."""
    row = await db.fetchrow(CURRENT, code)
    return (row["id"], _procedure(row["definition"], row["version"])) if row else None


VERSION = "SELECT version, definition, is_current FROM procedure WHERE id = $1"
IS_CURRENT = "SELECT is_current FROM procedure WHERE id = $1"

_versions: dict[UUID, Procedure] = {}
"""Rows that were read before; a version never changes but for being current."""


async def version(db: Database | Connection, procedure_id: UUID) -> tuple[Procedure, bool]:
    """The version a draft or dossier was made with, and whether it is still the current one."""
    if procedure_id in _versions:
        return _versions[procedure_id], await db.fetchval(IS_CURRENT, procedure_id)
    row = await db.fetchrow(VERSION, procedure_id)
    if row is None:
        raise KeyError(procedure_id)
    procedure = _versions[procedure_id] = _procedure(row["definition"], row["version"])
    return procedure, row["is_current"]


def _procedure(definition: object, number: int) -> Procedure:
    if not isinstance(definition, dict):
        raise TypeError("a procedure's definition is an object")
    return PROCEDURE.validate_python({**definition, "version": number})


SEARCH = """
SELECT version, definition FROM procedure
WHERE is_current AND (definition->>'retired')::boolean IS NOT TRUE AND search_text LIKE ALL ($1::text[])
ORDER BY code LIMIT $2
"""


async def search(db: Database, words: str, limit: int) -> list[Procedure]:
    """Current procedures in which every word occurs, typed with or without diacritics."""
    patterns = [f"%{_literal(word)}%" for word in fold(words).split()] or ["%"]
    return [_procedure(row["definition"], row["version"]) for row in await db.fetch(SEARCH, patterns, limit)]


def _literal(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")

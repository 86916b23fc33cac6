"""Replacements on their way, and what was replaced."""

from dataclasses import replace
from datetime import datetime

from pydantic import TypeAdapter

from kit.db import Connection, Database
from services.dossier.results.correction.domain import Correction, CorrectionMissing
from services.dossier.results.domain import Result, ResultState

DOCUMENT: TypeAdapter[Result] = TypeAdapter(Result)

READ = "SELECT proposer_ref, reason, legal_basis, document FROM correction WHERE dossier_code = $1"


async def read(db: Database | Connection, code: str) -> Correction:
    """The replacement on its way; CorrectionMissing when there is none. Who changes it holds the dossier's row."""
    row = await db.fetchrow(READ, code)
    if row is None:
        raise CorrectionMissing
    document = DOCUMENT.validate_python(row["document"])
    return Correction(code, row["proposer_ref"], row["reason"], row["legal_basis"], document)


SAVE = """
INSERT INTO correction (dossier_code, proposer_ref, reason, legal_basis, document) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (dossier_code) DO UPDATE SET proposer_ref = excluded.proposer_ref, reason = excluded.reason,
    legal_basis = excluded.legal_basis, document = excluded.document
"""


async def save(tx: Connection, correction: Correction) -> None:
    """The caller holds the row of its dossier."""
    document = DOCUMENT.dump_python(correction.document, mode="json")
    await tx.execute(
        SAVE, correction.dossier_code, correction.proposer_ref, correction.reason, correction.legal_basis, document
    )


REPLACED = """
INSERT INTO replaced_result (dossier_code, sha256, document, replaced_by, reason, legal_basis, at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
DONE = "DELETE FROM correction WHERE dossier_code = $1"


async def done(tx: Connection, old: Result, correction: Correction, at: datetime) -> None:
    """The old document is kept as replaced; nothing is on its way any more."""
    kept = DOCUMENT.dump_python(replace(old, state=ResultState.REPLACED), mode="json")
    by = correction.document.full_number
    await tx.execute(REPLACED, old.dossier_code, old.sha256, kept, by, correction.reason, correction.legal_basis, at)
    await tx.execute(DONE, old.dossier_code)

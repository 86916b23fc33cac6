"""Results, their numbers, and the citizen's document store."""

from typing import Any

import asyncpg

from contracts.dossier import SignatureStatus
from kit.db import Connection, Database
from services.dossier.results.domain import Result, ResultNotReady, ResultState

READ = """
SELECT dossier_code, state, document_type, symbol, sha256, drafted_at, signer_ref, signed_at, number, number_year,
    numbered_at, verification, issued_at, valid_to, on_paper, signature_asked_at
FROM result WHERE dossier_code = $1
"""


async def read(db: Database | Connection, code: str) -> Result:
    """The dossier's result; ResultNotReady when nothing is drafted. Who changes it holds the dossier's row."""
    row = await db.fetchrow(READ, code)
    if row is None:
        raise ResultNotReady
    return _result(row)


async def find(db: Database | Connection, code: str) -> Result | None:
    """The dossier's result, if anything is drafted."""
    row = await db.fetchrow(READ, code)
    return _result(row) if row else None


def _result(row: asyncpg.Record) -> Result:
    fields: dict[str, Any] = dict(row)
    state, verification = ResultState(fields.pop("state")), SignatureStatus(fields.pop("verification"))
    return Result(**fields, state=state, verification=verification)


SAVE = """
INSERT INTO result (dossier_code, state, document_type, symbol, sha256, drafted_at, signer_ref, signed_at, number,
    number_year, numbered_at, verification, issued_at, valid_to, on_paper, signature_asked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
ON CONFLICT (dossier_code) DO UPDATE
SET state = excluded.state, document_type = excluded.document_type, symbol = excluded.symbol,
    sha256 = excluded.sha256, drafted_at = excluded.drafted_at, signer_ref = excluded.signer_ref,
    signed_at = excluded.signed_at, number = excluded.number, number_year = excluded.number_year,
    numbered_at = excluded.numbered_at, verification = excluded.verification, issued_at = excluded.issued_at,
    valid_to = excluded.valid_to, on_paper = excluded.on_paper, signature_asked_at = excluded.signature_asked_at
"""


async def save(tx: Connection, result: Result) -> None:
    """The caller holds the row of its dossier."""
    await tx.execute(
        SAVE, result.dossier_code, result.state, result.document_type, result.symbol, result.sha256,
        result.drafted_at, result.signer_ref, result.signed_at, result.number, result.number_year,
        result.numbered_at, result.verification, result.issued_at, result.valid_to,
        result.on_paper, result.signature_asked_at,
    )  # fmt: skip


NEXT_NUMBER = """
INSERT INTO document_counter (unit, year, symbol, last) VALUES ($1, $2, $3, 1)
ON CONFLICT (unit, year, symbol) DO UPDATE SET last = document_counter.last + 1
RETURNING last
"""


async def next_number(tx: Connection, unit: str, year: int, symbol: str) -> int:
    """The next running number of that kind of document at that unit in that year; without a gap, if tx commits."""
    number: int = await tx.fetchval(NEXT_NUMBER, unit, year, symbol)
    return number

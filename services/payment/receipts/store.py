"""Receipts in the database. A number is never used twice and never missing; a cancelled receipt keeps its own."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.money import FeeKind
from kit.db import Connection, Database
from services.payment.receipts.domain import Receipt, ReceiptNumber
from services.payment.store import lines


@dataclass(frozen=True, slots=True)
class Kept:
    """A receipt as it stands now."""

    receipt: Receipt
    dossier_code: str
    cancelled_at: datetime | None
    cancel_reason: str | None
    sha256: str | None
    """Of its file, once that is made."""


COLUMNS = """
SELECT kind, form_symbol, symbol, year, number, assessment_id, attempt_id, lines, amount, issued_at, dossier_code,
       cancelled_at, cancel_reason, sha256
FROM receipt
"""
OF_DOSSIER = f"{COLUMNS} WHERE dossier_code = $1 ORDER BY issued_at, symbol, number"
READ = f"{COLUMNS} WHERE symbol = $1 AND year = $2 AND number = $3"


async def of_dossier(db: Database, dossier_code: str) -> list[Kept]:
    return [_kept(row) for row in await db.fetch(OF_DOSSIER, dossier_code)]


async def read(db: Database | Connection, ref: str) -> Kept | None:
    """The receipt of that reference (`symbol.year.number`), if there is one."""
    symbol, _, rest = ref.partition(".")
    year, _, number = rest.partition(".")
    if not (year.isdecimal() and number.isdecimal() and len(year) == 4 and len(number) == 7):
        return None
    row = await db.fetchrow(READ, symbol, int(year), int(number))
    return _kept(row) if row else None


CANCEL = """
UPDATE receipt SET state = 'cancelled', cancelled_at = $4, cancel_reason = $5, canceller_ref = $6
WHERE symbol = $1 AND year = $2 AND number = $3 AND state = 'issued'
RETURNING 1
"""
CANCEL_OF = """
UPDATE receipt SET state = 'cancelled', cancelled_at = $2, cancel_reason = $3, canceller_ref = $4
WHERE assessment_id = $1 AND state = 'issued'
"""


async def cancel(tx: Connection, number: ReceiptNumber, reason: str, officer: UUID, now: datetime) -> bool:
    """Whether it was valid until now."""
    done = await tx.fetchval(CANCEL, number.symbol, number.year, number.number, now, reason, officer)
    return done is not None


async def cancel_of(tx: Connection, assessment_id: UUID, reason: str, officer: UUID | None, now: datetime) -> None:
    """Those of a payment that was given back."""
    await tx.execute(CANCEL_OF, assessment_id, now, reason, officer)


MADE = """
UPDATE receipt SET sha256 = $4 WHERE symbol = $1 AND year = $2 AND number = $3 AND sha256 IS NULL
"""


async def made(db: Database, number: ReceiptNumber, sha256: str) -> None:
    """Its file is stored; of two that were made at once the first stays."""
    await db.execute(MADE, number.symbol, number.year, number.number, sha256)


def _kept(row: Any) -> Kept:
    number = ReceiptNumber(FeeKind(row["kind"]), row["form_symbol"], row["symbol"], row["year"], row["number"])
    receipt = Receipt(
        number, row["assessment_id"], row["attempt_id"], lines(row["lines"]), row["amount"], row["issued_at"]
    )
    return Kept(receipt, row["dossier_code"], row["cancelled_at"], row["cancel_reason"], row["sha256"])

"""Every SQL statement of the projection and of the look-up."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from kit.db import Connection, Database
from services.tracking.domain import Change, Entry, Told

# ── the projection: sets, not rows ─────────────────────────────────────────────────────────────────
# A version that is not newer changes nothing, so hearing anything again, in any batch, changes nothing.

PROJECT_DOSSIERS = """
INSERT INTO dossier_view AS seen
    (code, version, procedure_code, procedure_name, state, unit, owner_ref, submitter_ref, delivery,
     submitted_at, accepted_at, due_at, supplement_due_at, issued_at, returned_at, punctuality, result_ref,
     parent_code, members)
SELECT * FROM unnest(
    $1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::uuid[], $9::text[],
    $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[], $14::timestamptz[],
    $15::timestamptz[], $16::text[], $17::text[], $18::text[], $19::jsonb[])
ON CONFLICT (code) DO UPDATE SET
    version           = excluded.version,
    procedure_code    = coalesce(excluded.procedure_code, seen.procedure_code),
    procedure_name    = coalesce(excluded.procedure_name, seen.procedure_name),
    state             = coalesce(excluded.state, seen.state),
    unit              = coalesce(excluded.unit, seen.unit),
    owner_ref         = coalesce(excluded.owner_ref, seen.owner_ref),
    submitter_ref     = coalesce(excluded.submitter_ref, seen.submitter_ref),
    delivery          = coalesce(excluded.delivery, seen.delivery),
    submitted_at      = coalesce(excluded.submitted_at, seen.submitted_at),
    accepted_at       = coalesce(excluded.accepted_at, seen.accepted_at),
    due_at            = coalesce(excluded.due_at, seen.due_at),
    supplement_due_at = coalesce(excluded.supplement_due_at, seen.supplement_due_at),
    issued_at         = coalesce(excluded.issued_at, seen.issued_at),
    returned_at       = coalesce(excluded.returned_at, seen.returned_at),
    punctuality       = coalesce(excluded.punctuality, seen.punctuality),
    result_ref        = coalesce(excluded.result_ref, seen.result_ref),
    parent_code       = coalesce(excluded.parent_code, seen.parent_code),
    members           = coalesce(excluded.members, seen.members)
WHERE seen.version < excluded.version
"""
DOSSIER_COLUMNS = (
    "version", "procedure_code", "procedure_name", "state", "unit", "owner_ref", "submitter_ref", "delivery",
    "submitted_at", "accepted_at", "due_at", "supplement_due_at", "issued_at", "returned_at",
    "punctuality", "result_ref", "parent_code", "members",
)  # fmt: skip


async def project_dossiers(tx: Connection, changes: Mapping[str, Change]) -> None:
    await tx.execute(PROJECT_DOSSIERS, list(changes), *_columns(changes, DOSSIER_COLUMNS))


PROJECT_PAYMENTS = """
INSERT INTO dossier_view AS seen (code, payment_version, fee_state, fee_amount, fee_timing, fee_due_at)
SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::bigint[], $5::text[], $6::timestamptz[])
ON CONFLICT (code) DO UPDATE SET
    payment_version = excluded.payment_version,
    fee_state       = coalesce(excluded.fee_state, seen.fee_state),
    fee_amount      = coalesce(excluded.fee_amount, seen.fee_amount),
    fee_timing      = coalesce(excluded.fee_timing, seen.fee_timing),
    fee_due_at      = coalesce(excluded.fee_due_at, seen.fee_due_at)
WHERE seen.payment_version < excluded.payment_version
"""
PAYMENT_COLUMNS = ("payment_version", "fee_state", "fee_amount", "fee_timing", "fee_due_at")


async def project_payments(tx: Connection, changes: Mapping[str, Change]) -> None:
    await tx.execute(PROJECT_PAYMENTS, list(changes), *_columns(changes, PAYMENT_COLUMNS))


def _columns(changes: Mapping[str, Change], names: Sequence[str]) -> list[list[Any]]:
    """A list for each column. `unnest` fills short lists with nulls, so a column that nobody sets is not even sent."""
    rows = changes.values()
    touched = {name for row in rows for name in row}
    return [[row.get(name) for row in rows] if name in touched else [] for name in names]


KEEP_HISTORY = """
INSERT INTO history (code, source, version, type, at, unit, detail)
SELECT code, $1, version, type, at, unit, detail
FROM unnest($2::text[], $3::int[], $4::text[], $5::timestamptz[], $6::text[], $7::jsonb[])
     AS told (code, version, type, at, unit, detail)
ON CONFLICT DO NOTHING
"""


async def keep_history(tx: Connection, source: str, entries: Sequence[Entry]) -> None:
    """`source` is the service that said it: its versions count apart from the other's."""
    await tx.execute(
        KEEP_HISTORY,
        source,
        [e.code for e in entries],
        [e.version for e in entries],
        [e.type for e in entries],
        [e.at for e in entries],
        [e.unit for e in entries],
        [e.detail for e in entries],
    )


PROJECT_ACCOUNT = """
INSERT INTO account_view AS seen (account_ref, version, masked_name, identity_digest) VALUES ($1, $2, $3, $4)
ON CONFLICT (account_ref) DO UPDATE SET
    version         = excluded.version,
    masked_name     = excluded.masked_name,
    identity_digest = excluded.identity_digest
WHERE seen.version < excluded.version
"""


async def project_account(
    tx: Connection, ref: UUID, version: int, masked_name: str | None, identity_digest: str | None
) -> None:
    """The newest word about an account says all; without a digest nobody can prove to be its holder."""
    await tx.execute(PROJECT_ACCOUNT, ref, version, masked_name, identity_digest)


FORGET_ACCOUNT = "DELETE FROM account_view WHERE account_ref = $1"


async def forget_account(tx: Connection, ref: UUID) -> None:
    await tx.execute(FORGET_ACCOUNT, ref)


KEEP_MESSAGES = """
INSERT INTO message_view (message_id, code, template, channel, reason, at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
ON CONFLICT (message_id) DO UPDATE SET reason = excluded.reason, at = excluded.at WHERE message_view.at < excluded.at
"""


async def keep_messages(tx: Connection, told: Sequence[Told]) -> None:
    """The latest word about each message holds; `told` names each message once."""
    await tx.execute(
        KEEP_MESSAGES,
        [t.message_id for t in told],
        [t.code for t in told],
        [t.template for t in told],
        [t.channel for t in told],
        [t.reason for t in told],
        [t.at for t in told],
    )


HEARD = """
INSERT INTO freshness AS known (slot, heard_at) VALUES (pg_backend_pid() % 8, now())
ON CONFLICT (slot) DO UPDATE SET heard_at = greatest(known.heard_at, excluded.heard_at)
"""


async def heard(tx: Connection) -> None:
    """Note that the projection took something in just now."""
    await tx.execute(HEARD)


# ── the look-up: one indexed statement for every question ──────────────────────────────────────────

LOOK_UP = """
SELECT d.*, submitter.masked_name,
       owner.identity_digest AS owner_digest, submitter.identity_digest AS submitter_digest,
       (SELECT max(heard_at) FROM freshness) AS updated_at
FROM (SELECT $1::text AS code) AS asked
LEFT JOIN dossier_view AS d ON d.code = asked.code AND d.version > 0
LEFT JOIN account_view AS owner ON owner.account_ref = d.owner_ref
LEFT JOIN account_view AS submitter ON submitter.account_ref = d.submitter_ref
"""


async def look_up(db: Database, code: str) -> asyncpg.Record:
    """What is known under that code. There is always a row: knowing nothing takes as long as knowing all."""
    row = await db.fetchrow(LOOK_UP, code)
    assert row is not None  # noqa: S101 (the statement starts from the question)
    return row


HISTORY = "SELECT type, at, unit, detail FROM history WHERE code = $1 ORDER BY at, source, version"


async def history(db: Database, code: str) -> list[asyncpg.Record]:
    """All that happened, oldest first; facts of the same moment in the order of their source."""
    return await db.fetch(HISTORY, code)


MESSAGES_ABOUT = "SELECT template, channel, reason, at FROM message_view WHERE code = $1 ORDER BY at, message_id"


async def messages_about(db: Database, code: str) -> list[asyncpg.Record]:
    return await db.fetch(MESSAGES_ABOUT, code)


COUNT_FOLDERS = """
SELECT folder, count(*) AS count FROM dossier_view
WHERE version > 0 AND (owner_ref = $1 OR (submitter_ref = $1 AND submitter_ref <> owner_ref))
GROUP BY folder
"""


async def count_folders(db: Database, account: UUID) -> dict[str, int]:
    return {row["folder"]: row["count"] for row in await db.fetch(COUNT_FOLDERS, account)}


OF_ACCOUNT = """
SELECT * FROM dossier_view
WHERE version > 0 AND (owner_ref = $1 OR (submitter_ref = $1 AND submitter_ref <> owner_ref))
  AND ($2::text IS NULL OR folder = $2) AND (submitted_at, code) < ($3, $4)
ORDER BY submitted_at DESC, code DESC LIMIT $5
"""


async def of_account(
    db: Database, account: UUID, folder: str | None, before: tuple[datetime, str], limit: int
) -> list[asyncpg.Record]:
    """Dossiers that the account may follow, newest first, after the one named by `before`."""
    return await db.fetch(OF_ACCOUNT, account, folder, *before, limit)


UPDATED_AT = "SELECT max(heard_at) FROM freshness"


async def updated_at(db: Database) -> datetime | None:
    """When the projection last took something in; None before the first event."""
    moment: datetime | None = await db.fetchval(UPDATED_AT)
    return moment

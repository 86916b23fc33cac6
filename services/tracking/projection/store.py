"""Every SQL statement of the projection. Nobody else writes its tables."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from kit.db import Connection, Database
from services.tracking.projection.domain import Change, Entry, Known, Told

TABLES = (
    "dossier_view", "history", "message_view", "account_view", "dossier_facts", "statistics", "procedure_view",
)  # fmt: skip
"""Every projected table, written by the functions below and by nothing else: rebuild makes these anew from the events.

No foreign keys, triggers or sequences on them. `freshness` is not among them: it says when, not what."""

# ── the projection: sets, not rows ─────────────────────────────────────────────────────────────────
# A version that is not newer changes nothing, so hearing anything again, in any batch, changes nothing.

PROJECT_DOSSIERS = """
INSERT INTO dossier_view AS seen
    (code, version, procedure_code, procedure_name, state, unit, owner_ref, submitter_ref, delivery,
     submitted_at, accepted_at, due_at, supplement_due_at, issued_at, returned_at, punctuality, result_ref,
     parent_code, members, receiving_unit, competent_unit, channel, ended_at)
SELECT * FROM unnest(
    $1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::uuid[], $9::text[],
    $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[], $14::timestamptz[],
    $15::timestamptz[], $16::text[], $17::text[], $18::text[], $19::jsonb[],
    $20::text[], $21::text[], $22::text[], $23::timestamptz[])
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
    members           = coalesce(excluded.members, seen.members),
    receiving_unit    = coalesce(excluded.receiving_unit, seen.receiving_unit),
    competent_unit    = coalesce(excluded.competent_unit, seen.competent_unit),
    channel           = coalesce(excluded.channel, seen.channel),
    ended_at          = coalesce(excluded.ended_at, seen.ended_at)
WHERE seen.version < excluded.version
"""
DOSSIER_COLUMNS = (
    "version", "procedure_code", "procedure_name", "state", "unit", "owner_ref", "submitter_ref", "delivery",
    "submitted_at", "accepted_at", "due_at", "supplement_due_at", "issued_at", "returned_at",
    "punctuality", "result_ref", "parent_code", "members",
    "receiving_unit", "competent_unit", "channel", "ended_at",
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


PROJECT_ACCOUNTS = """
INSERT INTO account_view AS seen (account_ref, version, masked_name, identity_digest)
SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[])
ON CONFLICT (account_ref) DO UPDATE SET
    version         = excluded.version,
    masked_name     = excluded.masked_name,
    identity_digest = excluded.identity_digest
WHERE seen.version < excluded.version
"""


async def project_accounts(tx: Connection, known: Sequence[Known]) -> None:
    """The newest word about an account says all; without a digest nobody can prove to be its holder. `known` names
    each account once."""
    await tx.execute(
        PROJECT_ACCOUNTS,
        [k.ref for k in known],
        [k.version for k in known],
        [k.masked_name for k in known],
        [k.identity_digest for k in known],
    )


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
INSERT INTO freshness AS known (slot, heard_at) SELECT coalesce((
    SELECT slot FROM generate_series(0, 7) AS slot WHERE pg_try_advisory_xact_lock(hashtext('freshness'), slot) LIMIT 1
), 0), now()
ON CONFLICT (slot) DO UPDATE SET heard_at = greatest(known.heard_at, excluded.heard_at)
"""


async def heard(tx: Connection) -> None:
    """Note that the projection took something in just now, in a slot that nobody else holds: nobody waits."""
    await tx.execute(HEARD)


UPDATED_AT = "SELECT max(heard_at) FROM freshness"


async def updated_at(db: Database | Connection) -> datetime | None:
    """When the projection last took something in; None before the first event."""
    moment: datetime | None = await db.fetchval(UPDATED_AT)
    return moment

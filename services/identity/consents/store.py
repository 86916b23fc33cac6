"""Every SQL statement about consents."""

from typing import Any
from uuid import UUID

from kit.db import Connection, Database
from services.identity.consents.domain import Consent, Purpose

GIVE = """
INSERT INTO consent (id, account_ref, purpose, categories, text_version, channel, given_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account_ref, purpose) WHERE withdrawn_at IS NULL DO NOTHING"""


async def give(tx: Connection, consent: Consent) -> None:
    """Record it; agreeing twice is agreeing once."""
    await tx.execute(
        GIVE,
        consent.id,
        consent.account_ref,
        consent.purpose,
        list(consent.categories),
        consent.text_version,
        consent.channel,
        consent.given_at,
    )


OF = """
SELECT id, account_ref, purpose, categories, text_version, channel, given_at, withdrawn_at FROM consent
WHERE account_ref = $1 ORDER BY given_at DESC, id"""


async def of(db: Database | Connection, account_ref: UUID) -> list[Consent]:
    """All that somebody ever agreed to, the newest first."""
    return [_consent(row) for row in await db.fetch(OF, account_ref)]


LOCK = """
SELECT id, account_ref, purpose, categories, text_version, channel, given_at, withdrawn_at FROM consent
WHERE id = $1 AND account_ref = $2 FOR UPDATE"""


async def lock(tx: Connection, consent_id: UUID, account_ref: UUID) -> Consent | None:
    row = await tx.fetchrow(LOCK, consent_id, account_ref)
    return _consent(row) if row else None


WITHDRAW = "UPDATE consent SET withdrawn_at = $2 WHERE id = $1"
WITHDRAW_ALL = "UPDATE consent SET withdrawn_at = $2 WHERE account_ref = $1 AND withdrawn_at IS NULL"


async def save_withdrawal(tx: Connection, consent: Consent) -> None:
    await tx.execute(WITHDRAW, consent.id, consent.withdrawn_at)


async def withdraw_all(tx: Connection, account_ref: UUID, now: Any) -> None:
    """A closed account agrees to nothing any more."""
    await tx.execute(WITHDRAW_ALL, account_ref, now)


STANDS = "SELECT EXISTS (SELECT FROM consent WHERE account_ref = $1 AND purpose = $2 AND withdrawn_at IS NULL)"


async def stands(db: Database | Connection, account_ref: UUID, purpose: Purpose) -> bool:
    return bool(await db.fetchval(STANDS, account_ref, purpose))


def _consent(row: Any) -> Consent:
    fields = {**dict(row), "purpose": Purpose(row["purpose"]), "categories": tuple(row["categories"])}
    return Consent(**fields)

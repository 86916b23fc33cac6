"""Accounts as far as dossiers need them, the particulars of dossiers, and giving somebody's things to their account."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from contracts.identity import AccountStandardised
from kit.db import Connection, Database
from services.dossier.parties import domain
from services.dossier.parties.domain import Particulars, Person, Reach
from services.dossier.processing import store as dossiers

PERSON: TypeAdapter[Person] = TypeAdapter(Person)
REACH: TypeAdapter[Reach] = TypeAdapter(Reach)
PARTICULARS: TypeAdapter[Particulars] = TypeAdapter(Particulars)


# ── particulars ───────────────────────────────────────────────────────────────────────────────────────────────

KEEP = "INSERT INTO particulars (dossier_code, details) VALUES ($1, $2)"


async def keep(tx: Connection, code: str, particulars: Particulars) -> None:
    """What a new dossier knows of the people behind it."""
    await tx.execute(KEEP, code, PARTICULARS.dump_python(particulars, mode="json"))


PARTICULARS_OF = "SELECT details FROM particulars WHERE dossier_code = $1"


async def particulars_of(db: Database | Connection, code: str) -> Particulars:
    """The people behind a dossier; blank for one that was filed before they were kept."""
    details = await db.fetchval(PARTICULARS_OF, code)
    return PARTICULARS.validate_python(details) if details else Particulars(domain.NOBODY, domain.NOBODY, domain.UNSAID)


DISCLOSE = "INSERT INTO contact_disclosure (dossier_code, told, purpose, at) VALUES ($1, $2, $3, $4)"


async def disclose(tx: Connection, code: str, told: str, purpose: str, at: datetime) -> None:
    """Who was told how to reach the people of the dossier, and what for."""
    await tx.execute(DISCLOSE, code, told, purpose, at)


# ── accounts ──────────────────────────────────────────────────────────────────────────────────────────────────

# Who files for a person and who hears of their account take turns: neither misses what the other just did.
TURN = "SELECT pg_advisory_xact_lock(7021654, hashtext($1))"
OF_PERSON = """
SELECT ref FROM account WHERE identity_digest = $1 AND is_open ORDER BY standardised_at DESC LIMIT 1
"""


async def reference(tx: Connection, digest: str) -> UUID:
    """The person's account; a reference made of the digest while they have none."""
    await tx.execute(TURN, digest)
    return await tx.fetchval(OF_PERSON, digest) or domain.reference_of(digest)


DIGEST = "SELECT identity_digest FROM account WHERE ref = $1"


async def digest_of(db: Database | Connection, account: UUID) -> str | None:
    """The digest of the account's identity number, if identity vouched for it."""
    digest: str | None = await db.fetchval(DIGEST, account)
    return digest


STANDARDISED = """
INSERT INTO account (ref, version, identity_digest, standardised_at, is_open) VALUES ($1, $2, $3, $4, true)
ON CONFLICT (ref) DO UPDATE SET version = excluded.version, identity_digest = excluded.identity_digest,
    standardised_at = excluded.standardised_at, is_open = true
WHERE account.version < excluded.version
RETURNING ref
"""
OTHERS = "SELECT ref FROM account WHERE identity_digest = $1 AND ref <> $2 AND standardised_at <= $3 ORDER BY ref"
NEWER = "SELECT 1 FROM account WHERE identity_digest = $1 AND ref <> $2 AND standardised_at > $3"


async def standardised(tx: Connection, event: AccountStandardised) -> list[UUID]:
    """Remember the account; the references under which its owner was known before. None for old news."""
    await tx.execute(TURN, event.identity_digest)
    known = (event.identity_digest, event.account_ref, event.standardised_at)
    if not await tx.fetchval(STANDARDISED, event.account_ref, event.version, *known[::2]):
        return []
    if await tx.fetchval(NEWER, *known):
        return []
    others = [row["ref"] for row in await tx.fetch(OTHERS, *known)]
    return [domain.reference_of(event.identity_digest), *others]


ENDED = """
INSERT INTO account (ref, version, is_open) VALUES ($1, $2, false)
ON CONFLICT (ref) DO UPDATE SET version = excluded.version, is_open = false WHERE account.version < excluded.version
RETURNING ref
"""


async def ended(tx: Connection, account: UUID, version: int) -> bool:
    """The account was locked or closed; False for old news."""
    return bool(await tx.fetchval(ENDED, account, version))


ERASE = "DELETE FROM account WHERE ref = $1"


async def erase(tx: Connection, account: UUID) -> None:
    """Nothing is known of the account any more; its dossiers keep their opaque reference."""
    await tx.execute(ERASE, account)


# ── giving one's things to one's account ──────────────────────────────────────────────────────────────────────

DOSSIERS = "SELECT code FROM dossier WHERE owner_ref = $1 OR submitter_ref = $1 ORDER BY code"
LINK = "UPDATE dossier SET owner_ref = $2, submitter_ref = $3 WHERE code = $1"
DRAFTS = "UPDATE draft SET keeper_ref = $2 WHERE keeper_ref = $1"
# Both may have agreed to the same, or keep the same paper: what the account has already, stays.
CONSENTS = """
UPDATE consent c SET subject_ref = $2 WHERE subject_ref = $1 AND (withdrawn_at IS NOT NULL OR NOT EXISTS (
    SELECT 1 FROM consent n WHERE n.subject_ref = $2 AND n.purpose = c.purpose AND n.withdrawn_at IS NULL))
"""
CONSENTS_JOINED = """
UPDATE document d SET consent_id = n.id FROM consent c, consent n
WHERE d.consent_id = c.id AND c.subject_ref = $1 AND n.subject_ref = $2 AND n.purpose = c.purpose
  AND n.withdrawn_at IS NULL
"""
CONSENTS_ENDED = "UPDATE consent SET withdrawn_at = $2 WHERE subject_ref = $1 AND withdrawn_at IS NULL"
SAME_PAPERS = """
DELETE FROM document d USING document n
WHERE d.owner_ref = $1 AND n.owner_ref = $2 AND d.component_code = n.component_code AND d.sha256 = n.sha256
"""
DOCUMENTS = "UPDATE document SET owner_ref = $2 WHERE owner_ref = $1"


async def give(tx: Connection, before: UUID, account: UUID, at: datetime) -> None:
    """Everything of somebody who was known as `before` belongs to that account from now on."""
    for row in await tx.fetch(DOSSIERS, before):
        dossier = await dossiers.lock(tx, row["code"])
        linked, event = domain.link(dossier, before, account, at)
        await dossiers.save(tx, linked, event)
        await tx.execute(LINK, linked.code, linked.facts.owner_ref, linked.facts.submitter_ref)
    both: tuple[Any, ...] = (before, account)
    for statement in (DRAFTS, CONSENTS, CONSENTS_JOINED, SAME_PAPERS, DOCUMENTS):
        await tx.execute(statement, *both)
    await tx.execute(CONSENTS_ENDED, before, at)

"""Every SQL statement about accounts."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from contracts.identity import ACCOUNTS, AccountEvent, LockReason, VerificationSource
from kit import ids, outbox
from kit.db import Connection, Database
from services.identity.accounts.domain import Account, Organisation, Person, State, Subject, account

Record = Any  # asyncpg.Record: columns by name

LOCK_NUMBER = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"


async def lock_number(tx: Connection, number: str) -> None:
    """Whoever is about to become the owner of a number waits here for whoever was faster."""
    await tx.execute(LOCK_NUMBER, number)


FIND_LINKED = """
SELECT a.* FROM account a JOIN provider_link l ON l.account_ref = a.ref
WHERE l.provider = $1 AND l.subject = $2 FOR UPDATE OF a"""


async def find_linked(tx: Connection, provider: str, subject: str) -> Account | None:
    """The account that this login of a provider belongs to."""
    return _account(await tx.fetchrow(FIND_LINKED, provider, subject))


FIND_VERIFIED = """
SELECT * FROM account
WHERE state IN ('standardised', 'eid_linked')
  AND CASE WHEN $2::text IS NULL THEN subject = 'citizen' AND identity_number = $1 ELSE tax_code = $2 END
FOR UPDATE"""


async def find_verified(tx: Connection, number: str, tax_code: str | None) -> Account | None:
    """The one verified account of that identity number, or of that tax code."""
    return _account(await tx.fetchrow(FIND_VERIFIED, number, tax_code))


CLAIMANTS = """
SELECT * FROM account
WHERE state IN ('pending_otp', 'active') AND ref <> $1
  AND CASE WHEN $3::text IS NULL THEN subject = 'citizen' AND identity_number = $2 ELSE tax_code = $3 END
ORDER BY ref FOR UPDATE"""


async def claimants(tx: Connection, verified: Account) -> Sequence[Account]:
    """Other accounts that say to be the one that was just verified; each is locked until the transaction ends."""
    tax_code = verified.organisation.tax_code if verified.organisation else None
    rows = await tx.fetch(CLAIMANTS, verified.ref, verified.person.identity_number, tax_code)
    return [found for row in rows if (found := _account(row))]


FIND = "SELECT * FROM account WHERE ref = $1"
LOCK = "SELECT * FROM account WHERE ref = $1 FOR UPDATE"


async def find(tx: Connection | Database, ref: UUID) -> Account | None:
    return _account(await tx.fetchrow(FIND, ref))


async def lock(tx: Connection, ref: UUID) -> Account | None:
    """The account, which nobody else changes until the transaction ends."""
    return _account(await tx.fetchrow(LOCK, ref))


DECLARED = """
SELECT * FROM account WHERE state = 'active' AND subject = 'citizen' AND identity_number = $1 AND phone = $2
ORDER BY created_at LIMIT 1 FOR UPDATE"""


async def find_declared(tx: Connection, number: str, phone: str) -> Account | None:
    """The open account that declares this number and phone and was not verified yet."""
    return _account(await tx.fetchrow(DECLARED, number, phone))


def new() -> Account:
    """An account that nobody has yet."""
    return account(ids.new())


SAVE = """
INSERT INTO account (ref, state, version, subject, full_name, identity_number, birth_date, issued_on, phone, email,
                     address, organisation_name, tax_code, verification_source, standardised_at, own_contact,
                     lock_reason, superseded_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
ON CONFLICT (ref) DO UPDATE SET
    state = excluded.state, version = excluded.version, subject = excluded.subject, full_name = excluded.full_name,
    identity_number = excluded.identity_number, birth_date = excluded.birth_date, issued_on = excluded.issued_on,
    phone = excluded.phone, email = excluded.email, address = excluded.address,
    organisation_name = excluded.organisation_name, tax_code = excluded.tax_code,
    verification_source = excluded.verification_source, standardised_at = excluded.standardised_at,
    own_contact = excluded.own_contact, lock_reason = excluded.lock_reason, superseded_by = excluded.superseded_by,
    updated_at = now()"""


async def save(tx: Connection, account: Account, *events: AccountEvent) -> None:
    """The change and its news, together or not at all."""
    person, organisation = account.person, account.organisation
    await tx.execute(
        SAVE,
        account.ref,
        account.state,
        account.version,
        account.subject,
        person.full_name,
        person.identity_number,
        person.birth_date,
        person.issued_on,
        person.phone,
        person.email,
        person.address,
        organisation.name if organisation else None,
        organisation.tax_code if organisation else None,
        account.verification_source,
        account.standardised_at,
        account.own_contact,
        account.lock_reason,
        account.superseded_by,
    )
    await outbox.record(tx, ACCOUNTS, *events)


def _account(row: Record) -> Account | None:
    if row is None:
        return None
    names = ("full_name", "identity_number", "birth_date", "issued_on", "phone", "email", "address")
    return Account(
        ref=row["ref"],
        state=State(row["state"]),
        version=row["version"],
        subject=Subject(row["subject"]),
        person=Person(*(row[name] for name in names)),
        organisation=Organisation(row["organisation_name"], row["tax_code"]) if row["tax_code"] else None,
        verification_source=VerificationSource(row["verification_source"]) if row["verification_source"] else None,
        standardised_at=row["standardised_at"],
        own_contact=row["own_contact"],
        lock_reason=LockReason(row["lock_reason"]) if row["lock_reason"] else None,
        superseded_by=row["superseded_by"],
    )


LINK = "INSERT INTO provider_link (provider, subject, account_ref) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
MOVE_LINKS = "UPDATE provider_link SET account_ref = $2 WHERE account_ref = $1"
LINKS_OF = "SELECT provider, linked_at FROM provider_link WHERE account_ref = $1 ORDER BY linked_at"


async def link(tx: Connection, provider: str, subject: str, ref: UUID) -> None:
    """Remember that this login of the provider is this account."""
    await tx.execute(LINK, provider, subject, ref)


async def move_links(tx: Connection, before: UUID, to: UUID) -> None:
    """A locked account's provider logins open the account that took its place."""
    await tx.execute(MOVE_LINKS, before, to)


async def links_of(db: Database, ref: UUID) -> list[dict[str, Any]]:
    return [dict(row) for row in await db.fetch(LINKS_OF, ref)]


# ── passwords of local accounts ───────────────────────────────────────────────────────────────────

FIND_CREDENTIAL = "SELECT account_ref, password_hash FROM credential WHERE phone = $1"


async def find_credential(tx: Connection | Database, phone: str) -> tuple[UUID, str | None] | None:
    """(whose, the password's hash or None) of the local login with that phone number."""
    row = await tx.fetchrow(FIND_CREDENTIAL, phone)
    return (row["account_ref"], row["password_hash"]) if row else None


PUT_CREDENTIAL = """
INSERT INTO credential (account_ref, phone, password_hash) VALUES ($1, $2, $3)
ON CONFLICT (account_ref) DO UPDATE
SET phone = excluded.phone, password_hash = excluded.password_hash, changed_at = now()
"""


async def put_credential(tx: Connection, ref: UUID, phone: str, password_hash: str) -> None:
    """The account's own login: by this phone and password. UniqueViolationError if the phone is another account's."""
    await tx.execute(PUT_CREDENTIAL, ref, phone, password_hash)


SET_PASSWORD = "UPDATE credential SET password_hash = $2, changed_at = now() WHERE account_ref = $1"  # noqa: S105
MOVE_PHONE = "UPDATE credential SET phone = $2 WHERE account_ref = $1"
HAS_CREDENTIAL = "SELECT EXISTS (SELECT FROM credential WHERE account_ref = $1)"


async def set_password(tx: Connection, ref: UUID, password_hash: str) -> None:
    await tx.execute(SET_PASSWORD, ref, password_hash)


async def move_phone(tx: Connection, ref: UUID, phone: str) -> None:
    """Log in with the new number from now on. UniqueViolationError if it is another account's."""
    await tx.execute(MOVE_PHONE, ref, phone)


async def has_credential(db: Database, ref: UUID) -> bool:
    return bool(await db.fetchval(HAS_CREDENTIAL, ref))


# ── who is not there any more ─────────────────────────────────────────────────────────────────────

ERASE_LINKS = "DELETE FROM provider_link WHERE account_ref = $1"
ERASE_CREDENTIAL = "DELETE FROM credential WHERE account_ref = $1"
ERASE_CHALLENGES = "DELETE FROM otp_challenge WHERE subject = $1"
ERASE_ANSWERS = "DELETE FROM idempotency_key WHERE caller = encode(sha256(convert_to($1, 'UTF8')), 'hex')"


SUPERSEDED = """
UPDATE account SET full_name = NULL, identity_number = NULL, birth_date = NULL, issued_on = NULL, phone = NULL,
                   email = NULL, address = NULL, updated_at = now()
WHERE superseded_by = $1 RETURNING ref"""


async def erase(tx: Connection, ref: UUID) -> list[UUID]:
    """Everything by which the closed account's owner could be recognised, also in accounts that were locked in its
    favour; and tombstones for all of them. The references that were erased."""
    refs = [ref, *(row["ref"] for row in await tx.fetch(SUPERSEDED, ref))]
    for one in refs:
        for statement in (ERASE_LINKS, ERASE_CREDENTIAL, ERASE_CHALLENGES):
            await tx.execute(statement, one)
        await tx.execute(ERASE_ANSWERS, f"citizen:{one}")
        await outbox.erase(tx, ACCOUNTS, str(one))
    return refs


ERASE_ARCHIVE = """
DELETE FROM outbox WHERE channel = $1 AND key = $2 AND payload IS NOT NULL AND published_at IS NOT NULL"""
STILL_WAITING = "SELECT count(*) FROM outbox WHERE channel = $1 AND key = $2 AND published_at IS NULL"


async def erase_archive(db: Database, ref: UUID) -> int:
    """Remove what was said of a closed account from the archive, once it was said; how much still waits to be."""
    await db.execute(ERASE_ARCHIVE, ACCOUNTS.name, str(ref))
    waiting: int = await db.fetchval(STILL_WAITING, ACCOUNTS.name, str(ref))
    return waiting

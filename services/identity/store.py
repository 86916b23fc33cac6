"""Every SQL statement of identity."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.identity import ACCOUNTS, AccountEvent, VerificationSource
from kit import ids, outbox
from kit.db import Connection, Database
from services.identity.domain import (
    ATTEMPT_WINDOW,
    LOGIN_LIFE,
    Account,
    Kind,
    LoginExpired,
    Person,
    Session,
    SessionEnded,
    State,
    account,
)

Record = Any  # asyncpg.Record: columns by name


def digest(secret: str) -> bytes:
    """What is stored of a secret that somebody else holds."""
    return hashlib.sha256(secret.encode()).digest()


# ── accounts ──────────────────────────────────────────────────────────────────────────────────────

LOCK_PERSON = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
FIND_LINKED = """
SELECT a.* FROM account a JOIN provider_link l ON l.account_ref = a.ref
WHERE l.provider = $1 AND l.subject = $2 FOR UPDATE OF a"""
FIND_VERIFIED = """
SELECT * FROM account WHERE identity_number = $1 AND state IN ('standardised', 'eid_linked') FOR UPDATE"""


async def lock_person(tx: Connection, provider: str, subject: str, number: str) -> Account:
    """The account of this login: the linked one, else the verified one of that number, else a new one.

    Two first logins of one person queue on the number, so they end in one account.
    """
    await tx.execute(LOCK_PERSON, number)
    row = await tx.fetchrow(FIND_LINKED, provider, subject) or await tx.fetchrow(FIND_VERIFIED, number)
    return _account(row) if row else account(ids.new())


FIND = "SELECT * FROM account WHERE ref = $1"


async def find(tx: Connection | Database, ref: UUID) -> Account | None:
    row = await tx.fetchrow(FIND, ref)
    return _account(row) if row else None


SAVE = """
INSERT INTO account (ref, state, version, full_name, identity_number, birth_date, phone, email,
                     verification_source, standardised_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (ref) DO UPDATE SET
    state = excluded.state, version = excluded.version, full_name = excluded.full_name,
    identity_number = excluded.identity_number, birth_date = excluded.birth_date, phone = excluded.phone,
    email = excluded.email, verification_source = excluded.verification_source,
    standardised_at = excluded.standardised_at, updated_at = now()"""


async def save(tx: Connection, account: Account, *events: AccountEvent) -> None:
    """The change and its news, together or not at all."""
    person = account.person
    about = (
        (person.full_name, person.identity_number, person.birth_date, person.phone, person.email)
        if person
        else (None,) * 5
    )
    proof = (account.verification_source, account.standardised_at)
    await tx.execute(SAVE, account.ref, account.state, account.version, *about, *proof)
    await outbox.record(tx, ACCOUNTS, *events)


LINK = "INSERT INTO provider_link (provider, subject, account_ref) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"


async def link(tx: Connection, provider: str, subject: str, ref: UUID) -> None:
    """Remember that this login of the provider is this account."""
    await tx.execute(LINK, provider, subject, ref)


def _account(row: Record) -> Account:
    person = Person(row["full_name"], row["identity_number"], row["birth_date"], row["phone"], row["email"])
    return Account(
        row["ref"],
        State(row["state"]),
        row["version"],
        person if row["identity_number"] else None,
        VerificationSource(row["verification_source"]) if row["verification_source"] else None,
        row["standardised_at"],
    )


# ── logins at a provider ──────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Login:
    """What must come back, or be shown, when the provider answers a login."""

    provider: str
    nonce: str
    code_verifier: str
    callback_url: str


BEGIN_LOGIN = """
INSERT INTO login (state_digest, provider, nonce, code_verifier, callback_url, expires_at)
VALUES ($1, $2, $3, $4, $5, $6)"""
FORGET_OLD_LOGINS = "DELETE FROM login WHERE expires_at < $1"


async def begin_login(tx: Connection, state: str, login: Login, now: datetime) -> None:
    """Remember a login until it is answered or too old; old ones go at the same occasion."""
    await tx.execute(FORGET_OLD_LOGINS, now)
    await tx.execute(
        BEGIN_LOGIN,
        digest(state),
        login.provider,
        login.nonce,
        login.code_verifier,
        login.callback_url,
        now + LOGIN_LIFE,
    )


TAKE_LOGIN = """
DELETE FROM login WHERE state_digest = $1 RETURNING provider, nonce, code_verifier, callback_url, expires_at"""


async def take_login(db: Database, state: str, now: datetime) -> Login:
    """The login of that state, which nobody can take again."""
    row = await db.fetchrow(TAKE_LOGIN, digest(state))
    if row is None or row["expires_at"] < now:
        raise LoginExpired()
    return Login(row["provider"], row["nonce"], row["code_verifier"], row["callback_url"])


# ── sessions ──────────────────────────────────────────────────────────────────────────────────────

BEGIN_SESSION = """
INSERT INTO session (secret_digest, kind, subject, acr, auth_time, expires_at) VALUES ($1, $2, $3, $4, $5, $6)"""
FORGET_OLD_SESSIONS = "DELETE FROM session WHERE expires_at < $1"


async def begin_session(tx: Connection, secret: str, session: Session) -> None:
    await tx.execute(FORGET_OLD_SESSIONS, session.auth_time)
    await tx.execute(
        BEGIN_SESSION,
        digest(secret),
        session.kind,
        session.subject,
        session.acr,
        session.auth_time,
        session.expires_at,
    )


LOCK_SESSION = "SELECT * FROM session WHERE secret_digest = $1 FOR UPDATE"


async def lock_session(tx: Connection, secret: str) -> Session:
    row = await tx.fetchrow(LOCK_SESSION, digest(secret))
    if row is None:
        raise SessionEnded()
    return Session(Kind(row["kind"]), row["subject"], row["acr"], row["auth_time"], row["expires_at"])


EXTEND_SESSION = "UPDATE session SET expires_at = $2 WHERE secret_digest = $1"


async def extend_session(tx: Connection, secret: str, session: Session) -> None:
    await tx.execute(EXTEND_SESSION, digest(secret), session.expires_at)


END_SESSION = "DELETE FROM session WHERE secret_digest = $1"


async def end_session(tx: Connection, secret: str) -> None:
    await tx.execute(END_SESSION, digest(secret))


# ── officers ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Officer:
    """Somebody who acts for a unit; provisioned by an administrator, never by registration."""

    ref: UUID
    username: str
    display_name: str
    unit: str
    roles: Sequence[str]
    password_hash: str


FIND_OFFICER = """
SELECT ref, username, display_name, unit, roles, password_hash FROM officer WHERE username = $1 AND active"""


async def find_officer(db: Database, username: str) -> Officer | None:
    row = await db.fetchrow(FIND_OFFICER, username)
    return Officer(**row) if row else None


OFFICER_NOW = """
SELECT ref, username, display_name, unit, roles, password_hash FROM officer WHERE ref = $1 AND active"""


async def officer_now(tx: Connection, ref: UUID) -> Officer:
    """The officer as of now: a role taken away is gone with the next token; a removed officer has no session."""
    row = await tx.fetchrow(OFFICER_NOW, ref)
    if row is None:
        raise SessionEnded()
    return Officer(**row)


PROVISION = """
INSERT INTO officer (ref, username, display_name, unit, roles, password_hash) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (username) DO UPDATE SET
    display_name = excluded.display_name, unit = excluded.unit, roles = excluded.roles,
    password_hash = excluded.password_hash, active = true, updated_at = now()"""


async def provision(db: Database, officer: Officer) -> None:
    """Create the officer, or bring the known one of that user name up to date (its ref stays)."""
    await db.execute(
        PROVISION,
        officer.ref,
        officer.username,
        officer.display_name,
        officer.unit,
        list(officer.roles),
        officer.password_hash,
    )


# ── guesses and audit ─────────────────────────────────────────────────────────────────────────────

ADD_ATTEMPT = "INSERT INTO login_attempt (name_digest, at) VALUES ($1, $2) RETURNING id"
COUNT_ATTEMPTS = "SELECT count(*) FROM login_attempt WHERE name_digest = $1 AND at > $2 AND id <= $3"
FORGET_ATTEMPT = "DELETE FROM login_attempt WHERE id = $1"


async def count_attempt(db: Database, username: str, now: datetime) -> tuple[int, int]:
    """Record a guess and count it with those before it in the window; (its id, the count).

    Committed before the password is looked at, so that guesses made at once see each other.
    """
    attempt: int = await db.fetchval(ADD_ATTEMPT, digest(username), now)
    count: int = await db.fetchval(COUNT_ATTEMPTS, digest(username), now - ATTEMPT_WINDOW, attempt)
    return attempt, count


async def forget_attempt(db: Database, attempt: int) -> None:
    """A refused guess does not prolong the wait, or anybody could keep an officer out for ever."""
    await db.execute(FORGET_ATTEMPT, attempt)


CLEAR_ATTEMPTS = "DELETE FROM login_attempt WHERE name_digest = $1 OR at < $2"


async def clear_attempts(tx: Connection, username: str, now: datetime) -> None:
    """The right password forgives the wrong ones; what is older than the window goes too."""
    await tx.execute(CLEAR_ATTEMPTS, digest(username), now - ATTEMPT_WINDOW)


AUDIT = "INSERT INTO login_audit (at, realm, method, subject, outcome) VALUES ($1, $2, $3, $4, $5)"


async def audit(
    tx: Connection | Database, now: datetime, realm: Kind, method: str, subject: UUID | None, outcome: str
) -> None:
    """One login that succeeded or was refused (`outcome` is the refusal's name)."""
    await tx.execute(AUDIT, now, realm, method, subject, outcome)


DISCLOSE = "INSERT INTO contact_disclosure (at, account_ref, told, purpose) VALUES ($1, $2, $3, $4)"


async def disclose(tx: Connection, now: datetime, ref: UUID, told: str, purpose: str) -> None:
    """Somebody's contact details were given to a service."""
    await tx.execute(DISCLOSE, now, ref, told, purpose)

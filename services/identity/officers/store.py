"""Every SQL statement about officers and units."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from kit.db import Connection, Database
from services.identity.officers.domain import FACTOR_LIFE, FACTOR_TRIES, FactorExpired, Officer, Unit
from services.identity.sessions.domain import SessionEnded
from services.identity.store import digest

Record = Any  # asyncpg.Record: columns by name

FIND = """
SELECT o.*, (SELECT count(*) FROM passkey p WHERE p.officer_ref = o.ref) AS passkeys
FROM officer o WHERE o.username = $1 AND o.active"""


async def find_officer(db: Database, username: str) -> Officer | None:
    """The active officer of that user name."""
    row = await db.fetchrow(FIND, username)
    return _officer(row) if row else None


OFFICER_NOW = """
SELECT o.*, (SELECT count(*) FROM passkey p WHERE p.officer_ref = o.ref) AS passkeys
FROM officer o WHERE o.ref = $1 AND o.active"""


async def officer_now(tx: Connection | Database, ref: UUID) -> Officer:
    """The officer as of now: a role taken away is gone with the next token; a removed officer has no session."""
    row = await tx.fetchrow(OFFICER_NOW, ref)
    if row is None:
        raise SessionEnded()
    return _officer(row)


LOCK = """
SELECT o.*, (SELECT count(*) FROM passkey p WHERE p.officer_ref = o.ref) AS passkeys
FROM officer o WHERE o.ref = $1 FOR UPDATE OF o"""


async def lock(tx: Connection, ref: UUID) -> Officer | None:
    """An officer, active or not, whom nobody else changes until the transaction ends."""
    row = await tx.fetchrow(LOCK, ref)
    return _officer(row) if row else None


LIST = """
SELECT o.*, (SELECT count(*) FROM passkey p WHERE p.officer_ref = o.ref) AS passkeys
FROM officer o WHERE ($1::text IS NULL OR o.unit = $1) AND o.username > $2 ORDER BY o.username LIMIT $3"""


async def list_of(db: Database, unit: str | None, after: str, limit: int) -> Sequence[Officer]:
    """Officers by user name, also those who are not active any more."""
    return [_officer(row) for row in await db.fetch(LIST, unit, after, limit)]


def _officer(row: Record) -> Officer:
    names = ("ref", "username", "display_name", "unit", "title", "phone", "active", "password_hash", "passkeys")
    fields = {name: row[name] for name in names}
    return Officer(**fields, roles=tuple(row["roles"]), has_totp=row["totp_secret"] is not None)


PROVISION = """
INSERT INTO officer (ref, username, display_name, unit, roles, title, phone, password_hash, active)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (username) DO UPDATE SET
    display_name = excluded.display_name, unit = excluded.unit, roles = excluded.roles, title = excluded.title,
    phone = excluded.phone, password_hash = excluded.password_hash, active = excluded.active, updated_at = now()
WHERE officer.ref = excluded.ref RETURNING ref"""
NOTE = """
INSERT INTO officer_history (officer_ref, at, unit, roles, active, changed_by)
SELECT $1::uuid, now(), $2::text, $3::text[], $4::boolean, $5::uuid
WHERE NOT EXISTS (
    SELECT FROM (SELECT unit, roles, active FROM officer_history
                 WHERE officer_ref = $1 ORDER BY id DESC LIMIT 1) AS last
    WHERE last.unit = $2 AND last.roles = $3 AND last.active = $4)"""


async def provision(tx: Connection, officer: Officer, changed_by: UUID | None = None) -> bool:
    """Create the officer or bring them up to date, and remember what they were; False if the name is another's."""
    saved = await tx.fetchval(
        PROVISION,
        officer.ref,
        officer.username,
        officer.display_name,
        officer.unit,
        list(officer.roles),
        officer.title,
        officer.phone,
        officer.password_hash,
        officer.active,
    )
    if saved is None:
        return False
    await tx.execute(NOTE, officer.ref, officer.unit, list(officer.roles), officer.active, changed_by)
    return True


HISTORY = """
SELECT at, unit, roles, active, changed_by FROM officer_history WHERE officer_ref = $1 ORDER BY id"""


async def history(db: Database, ref: UUID) -> list[dict[str, Any]]:
    """What an officer was, when, and who made it so."""
    return [dict(row) for row in await db.fetch(HISTORY, ref)]


SET_PASSWORD = "UPDATE officer SET password_hash = $2, updated_at = now() WHERE ref = $1 AND active RETURNING username"  # noqa: S105


async def set_password(tx: Connection, ref: UUID, password_hash: str) -> str | None:
    """The user name of the officer who now has this password."""
    name: str | None = await tx.fetchval(SET_PASSWORD, ref, password_hash)
    return name


# ── the second factor ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Half:
    """An officer who gave the right password, and the challenge that a passkey must sign."""

    officer_ref: UUID
    challenge: bytes


BEGIN_FACTOR = """
INSERT INTO officer_login (handle_digest, officer_ref, challenge, expires_at) VALUES ($1, $2, $3, $4)"""
FORGET_OLD = "DELETE FROM officer_login WHERE expires_at < $1"


async def begin_factor(tx: Connection, handle: str, half: Half, now: datetime) -> None:
    await tx.execute(FORGET_OLD, now)
    await tx.execute(BEGIN_FACTOR, digest(handle), half.officer_ref, half.challenge, now + FACTOR_LIFE)


TRY_FACTOR = """
UPDATE officer_login SET tries = tries + 1
WHERE handle_digest = $1 AND expires_at > $2 AND tries < $3 RETURNING officer_ref, challenge"""


async def try_factor(db: Database, handle: str, now: datetime) -> Half:
    """Who owes the factor; counted and committed before it is looked at."""
    row = await db.fetchrow(TRY_FACTOR, digest(handle), now, FACTOR_TRIES)
    if row is None:
        raise FactorExpired()
    return Half(**row)


TAKE_FACTOR = "DELETE FROM officer_login WHERE handle_digest = $1 RETURNING 1"


async def take_factor(tx: Connection, handle: str) -> None:
    """Use the half login up; of two at once, the second comes too late."""
    if not await tx.fetchval(TAKE_FACTOR, digest(handle)):
        raise FactorExpired()


TOTP = "SELECT totp_secret FROM officer WHERE ref = $1 AND active"
SET_TOTP = "UPDATE officer SET totp_secret = $2, totp_step = $3, updated_at = now() WHERE ref = $1"
USE_STEP = "UPDATE officer SET totp_step = $2 WHERE ref = $1 AND totp_step < $2 RETURNING 1"


async def totp_secret(db: Database, ref: UUID) -> bytes | None:
    """The encrypted secret of the officer's authenticator."""
    secret: bytes | None = await db.fetchval(TOTP, ref)
    return secret


async def set_totp(tx: Connection, ref: UUID, secret: bytes | None, step: int) -> None:
    """Enrol an authenticator, of which this time step was used; None removes it."""
    await tx.execute(SET_TOTP, ref, secret, step)


async def use_step(tx: Connection, ref: UUID, step: int) -> bool:
    """Each code is good once, and no older one after it; False when it was used."""
    return bool(await tx.fetchval(USE_STEP, ref, step))


@dataclass(frozen=True, slots=True)
class Passkey:
    """A security key of an officer (WebAuthn)."""

    credential_id: bytes
    officer_ref: UUID
    public_key: bytes
    sign_count: int
    name: str


ADD_PASSKEY = """
INSERT INTO passkey (credential_id, officer_ref, public_key, sign_count, name) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING 1"""
PASSKEYS_OF = "SELECT credential_id, officer_ref, public_key, sign_count, name FROM passkey WHERE officer_ref = $1"
COUNT_UP = "UPDATE passkey SET sign_count = $2 WHERE credential_id = $1"
REMOVE_PASSKEY = "DELETE FROM passkey WHERE officer_ref = $1 AND credential_id = $2 RETURNING 1"


async def add_passkey(tx: Connection, passkey: Passkey) -> bool:
    """False when this key is registered already."""
    fields = (passkey.credential_id, passkey.officer_ref, passkey.public_key, passkey.sign_count, passkey.name)
    return bool(await tx.fetchval(ADD_PASSKEY, *fields))


async def passkeys_of(db: Database, ref: UUID) -> list[Passkey]:
    return [Passkey(**row) for row in await db.fetch(PASSKEYS_OF, ref)]


async def count_up(tx: Connection, credential_id: bytes, sign_count: int) -> None:
    """A copy of a key would count less than the key itself."""
    await tx.execute(COUNT_UP, credential_id, sign_count)


async def remove_passkey(tx: Connection, ref: UUID, credential_id: bytes) -> bool:
    return bool(await tx.fetchval(REMOVE_PASSKEY, ref, credential_id))


# ── units ─────────────────────────────────────────────────────────────────────────────────────────

UNITS = """
SELECT id, name, level, parent, valid_from, valid_to, successor FROM unit
WHERE valid_from <= $1 AND (valid_to IS NULL OR valid_to >= $1) ORDER BY id"""


async def units(db: Database | Connection, day: date) -> list[Unit]:
    """The agencies as they were on that day."""
    return [Unit(**row) for row in await db.fetch(UNITS, day)]


UNIT_HISTORY = """
SELECT id, name, level, parent, valid_from, valid_to, successor FROM unit WHERE id = $1 ORDER BY valid_from"""


async def unit_history(db: Database, unit_id: str) -> list[Unit]:
    return [Unit(**row) for row in await db.fetch(UNIT_HISTORY, unit_id)]


LOCK_UNIT = """
SELECT id, name, level, parent, valid_from, valid_to, successor FROM unit
WHERE id = $1 AND valid_to IS NULL FOR UPDATE"""


async def lock_unit(tx: Connection, unit_id: str) -> Unit | None:
    """The unit that is open under that id."""
    row = await tx.fetchrow(LOCK_UNIT, unit_id)
    return Unit(**row) if row else None


SAVE_UNIT = """
INSERT INTO unit (id, name, level, parent, valid_from, valid_to, successor) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (id, valid_from) DO UPDATE SET
    name = excluded.name, level = excluded.level, parent = excluded.parent, valid_to = excluded.valid_to,
    successor = excluded.successor"""


async def save_unit(tx: Connection, unit: Unit) -> None:
    fields = (unit.id, unit.name, unit.level, unit.parent, unit.valid_from, unit.valid_to, unit.successor)
    await tx.execute(SAVE_UNIT, *fields)


BUSY = """
SELECT EXISTS (SELECT FROM officer WHERE unit = $1 AND active)
    OR EXISTS (SELECT FROM unit WHERE parent = $1 AND valid_to IS NULL)"""


async def is_busy(tx: Connection, unit_id: str) -> bool:
    """Whether somebody still works in the unit, or a unit is open below it."""
    return bool(await tx.fetchval(BUSY, unit_id))

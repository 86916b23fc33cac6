"""Every SQL statement about one-time passwords."""

from datetime import datetime

from kit.db import Connection, Database
from services.identity.otp.domain import TRIES, Challenge, CodeExpired, Purpose
from services.identity.store import digest

BEGIN = """
INSERT INTO otp_challenge (handle_digest, purpose, subject, facts, code_mac, expires_at)
VALUES ($1, $2, $3, $4, $5, $6)"""
FORGET_OLD = "DELETE FROM otp_challenge WHERE expires_at < $1"


async def begin(tx: Connection, handle: str, challenge: Challenge, now: datetime) -> None:
    """Keep what waits for a code; what waited too long goes at the same occasion."""
    await tx.execute(FORGET_OLD, now)
    await tx.execute(
        BEGIN,
        digest(handle),
        challenge.purpose,
        challenge.subject,
        challenge.facts,
        challenge.code_mac,
        challenge.expires_at,
    )


TRY = """
UPDATE otp_challenge SET tries = tries + 1
WHERE handle_digest = $1 AND purpose = $2 AND expires_at > $3 AND tries < $4
RETURNING purpose, subject, facts, code_mac, expires_at, tries"""


async def attempt(db: Database, handle: str, purpose: Purpose, now: datetime) -> tuple[Challenge, int]:
    """(what waits, which try this is), counted and committed before the code is looked at."""
    row = await db.fetchrow(TRY, digest(handle), purpose, now, TRIES)
    if row is None:
        raise CodeExpired()
    fields = dict(row)
    tries = fields.pop("tries")
    return Challenge(**{**fields, "purpose": Purpose(fields["purpose"])}), tries


TAKE = "DELETE FROM otp_challenge WHERE handle_digest = $1 RETURNING 1"


async def take(tx: Connection, handle: str) -> None:
    """Use the challenge up; of two right answers at once, the second comes too late."""
    if not await tx.fetchval(TAKE, digest(handle)):
        raise CodeExpired()

"""SQL of what all of identity uses: secrets' digests, guesses and their counting, the audit."""

import hashlib
from datetime import datetime, timedelta
from uuid import UUID

from kit.db import Connection, Database


def digest(secret: str) -> bytes:
    """What is stored of a secret that somebody else holds."""
    return hashlib.sha256(secret.encode()).digest()


# ── guesses ───────────────────────────────────────────────────────────────────────────────────────

ADD_ATTEMPT = "INSERT INTO login_attempt (name_digest, at) VALUES ($1, $2) RETURNING id"
COUNT_ATTEMPTS = "SELECT count(*) FROM login_attempt WHERE name_digest = $1 AND at > $2 AND id <= $3"
FORGET_ATTEMPT = "DELETE FROM login_attempt WHERE id = $1"


async def count_attempt(db: Database, name: str, now: datetime, window: timedelta) -> tuple[int, int]:
    """Record an attempt under a name and count it with those before it in the window; (its id, the count).

    Committed before it is judged, so that attempts made at once see each other.
    """
    attempt: int = await db.fetchval(ADD_ATTEMPT, digest(name), now)
    count: int = await db.fetchval(COUNT_ATTEMPTS, digest(name), now - window, attempt)
    return attempt, count


async def forget_attempt(db: Database, attempt: int) -> None:
    """A refused attempt does not prolong the wait, or anybody could keep somebody out for ever."""
    await db.execute(FORGET_ATTEMPT, attempt)


CLEAR_ATTEMPTS = "DELETE FROM login_attempt WHERE name_digest = $1 OR at < $2"
LONGEST_WINDOW = timedelta(days=1)


async def clear_attempts(tx: Connection, name: str, now: datetime) -> None:
    """The right answer forgives the wrong ones; what is older than every window goes too."""
    await tx.execute(CLEAR_ATTEMPTS, digest(name), now - LONGEST_WINDOW)


# ── audit ─────────────────────────────────────────────────────────────────────────────────────────

AUDIT = """
INSERT INTO login_audit (at, realm, method, subject, outcome, actor) VALUES ($1, $2, $3, $4, $5, $6)"""


async def audit(
    tx: Connection | Database,
    now: datetime,
    realm: str,
    method: str,
    subject: UUID | None,
    outcome: str,
    actor: UUID | None = None,
) -> None:
    """One login, or one act on an account, that succeeded or was refused (`outcome` is the refusal's name).

    `actor`: the officer who did it to somebody else's account.
    """
    await tx.execute(AUDIT, now, realm, method, subject, outcome, actor)


AUDITED = "SELECT at, method, outcome FROM login_audit WHERE subject = $1 AND realm = $2 ORDER BY id DESC LIMIT $3"


async def audited(db: Database, realm: str, subject: UUID, limit: int) -> list[dict[str, object]]:
    """The newest entries about somebody."""
    return [dict(row) for row in await db.fetch(AUDITED, subject, realm, limit)]


DISCLOSE = "INSERT INTO contact_disclosure (at, account_ref, told, purpose) VALUES ($1, $2, $3, $4)"


async def disclose(tx: Connection, now: datetime, ref: UUID, told: str, purpose: str) -> None:
    """Somebody's contact details were given to a service."""
    await tx.execute(DISCLOSE, now, ref, told, purpose)


DISCLOSED = "SELECT at, told, purpose FROM contact_disclosure WHERE account_ref = $1 ORDER BY id DESC LIMIT $2"


async def disclosed(db: Database, ref: UUID, limit: int) -> list[dict[str, object]]:
    """To whom somebody's contact details were given lately."""
    return [dict(row) for row in await db.fetch(DISCLOSED, ref, limit)]

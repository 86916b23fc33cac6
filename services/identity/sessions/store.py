"""Every SQL statement about sessions."""

from datetime import datetime
from typing import Any
from uuid import UUID

from kit.db import Connection, Database
from services.identity.sessions.domain import Kind, Session, SessionEnded
from services.identity.store import digest

BEGIN = """
INSERT INTO session (secret_digest, kind, subject, acr, auth_time, begun_at, expires_at, method)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"""
FORGET_OLD = "DELETE FROM session WHERE expires_at < $1"


async def begin(tx: Connection, secret: str, session: Session) -> None:
    await tx.execute(FORGET_OLD, session.begun_at)
    await tx.execute(
        BEGIN,
        digest(secret),
        session.kind,
        session.subject,
        session.acr,
        session.auth_time,
        session.begun_at,
        session.expires_at,
        session.method,
    )


FIND = """
SELECT kind, subject, acr, auth_time, begun_at, expires_at, method FROM session WHERE secret_digest = $1"""


async def find(tx: Connection | Database, secret: str) -> Session:
    """The session behind the secret; SessionEnded when there is none."""
    row = await tx.fetchrow(FIND, digest(secret))
    if row is None:
        raise SessionEnded()
    return Session(**{**dict(row), "kind": Kind(row["kind"])})


EXTEND = "UPDATE session SET expires_at = $2 WHERE secret_digest = $1 AND expires_at < $2"


async def extend(tx: Connection | Database, secret: str, until: datetime) -> None:
    """Of two uses at once the longer one holds."""
    await tx.execute(EXTEND, digest(secret), until)


END = "DELETE FROM session WHERE secret_digest = $1"


async def end(tx: Connection, secret: str) -> None:
    await tx.execute(END, digest(secret))


END_ALL = "DELETE FROM session WHERE subject = $1 AND kind = $2"


async def end_all(tx: Connection, kind: Kind, subject: UUID) -> None:
    """Log somebody out everywhere: within a minute no service believes their tokens any more."""
    await tx.execute(END_ALL, subject, kind)


LIST = """
SELECT encode(secret_digest, 'hex') AS id, method, begun_at, expires_at FROM session
WHERE subject = $1 AND kind = $2 AND expires_at > $3 ORDER BY begun_at DESC LIMIT 100"""


async def list_of(db: Database, kind: Kind, subject: UUID, now: datetime) -> list[dict[str, Any]]:
    """Where somebody is logged in. An id is the digest of the session's secret: it opens nothing."""
    return [dict(row) for row in await db.fetch(LIST, subject, kind, now)]


END_ONE = "DELETE FROM session WHERE subject = $1 AND kind = $2 AND encode(secret_digest, 'hex') = $3 RETURNING 1"


async def end_one(tx: Connection, kind: Kind, subject: UUID, session_id: str) -> bool:
    """End one of somebody's own sessions; False when it is not theirs."""
    return bool(await tx.fetchval(END_ONE, subject, kind, session_id))

"""Every SQL statement about logins under way at a provider."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kit.db import Connection, Database
from services.identity.logins.domain import LOGIN_LIFE, LoginExpired
from services.identity.store import digest


@dataclass(frozen=True, slots=True)
class Login:
    """What must come back, or be shown, when the provider answers a login."""

    provider: str
    nonce: str
    code_verifier: str
    callback_url: str
    account_ref: UUID | None = None
    """The account that is logged in and wants to be verified."""
    fresh: bool = False
    """The provider was asked to have the person log in again."""


BEGIN = """
INSERT INTO login (state_digest, provider, nonce, code_verifier, callback_url, expires_at, account_ref, fresh)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"""
FORGET_OLD = "DELETE FROM login WHERE expires_at < $1"


async def begin(tx: Connection, state: str, login: Login, now: datetime) -> None:
    """Remember a login until it is answered or too old; old ones go at the same occasion."""
    await tx.execute(FORGET_OLD, now)
    await tx.execute(
        BEGIN,
        digest(state),
        login.provider,
        login.nonce,
        login.code_verifier,
        login.callback_url,
        now + LOGIN_LIFE,
        login.account_ref,
        login.fresh,
    )


TAKE = """
DELETE FROM login WHERE state_digest = $1
RETURNING provider, nonce, code_verifier, callback_url, account_ref, fresh, expires_at"""


async def take(db: Database, state: str, now: datetime) -> Login:
    """The login of that state, which nobody can take again."""
    row = await db.fetchrow(TAKE, digest(state))
    if row is None or row["expires_at"] < now:
        raise LoginExpired()
    return Login(**{name: value for name, value in row.items() if name != "expires_at"})

"""HTTP in: tokens from sessions, and what somebody may see and do about their own sessions."""

import secrets
from typing import Annotated, Any

from fastapi import Depends, Path
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from kit.auth import Caller, CitizenToken, OfficerToken, SystemToken, Token, system
from kit.clock import now
from kit.db import Connection, Database
from kit.http import Db, Router, Tx
from kit.problems import Forbidden, NotFound
from services.identity import store, tokens
from services.identity.accounts import domain as accounts
from services.identity.accounts.store import find as find_account
from services.identity.officers.store import officer_now
from services.identity.sessions import domain
from services.identity.sessions import store as sessions
from services.identity.sessions.domain import Kind, Session, SessionEnded
from services.identity.settings import policy

Gateway = Annotated[SystemToken, Depends(system("gateway"))]
Secret = Annotated[str, Path(min_length=20, max_length=100)]

router = Router(prefix="/api/v1", tags=["sessions"])


class AccessToken(BaseModel):
    """A bearer token and the seconds it lasts."""

    access_token: str
    expires_in: int
    token_type: str = "Bearer"  # noqa: S105 (the name of a scheme)


class TokenWish(BaseModel):
    """Which service the token is for."""

    model_config = ConfigDict(extra="forbid")

    audience: str = Field(examples=["dossier"])


async def begin(tx: Connection, session: Session) -> str:
    """Begin a session; its secret: 256 random bits, of which the database keeps the SHA-256."""
    secret = secrets.token_urlsafe(32)
    await sessions.begin(tx, secret, session)
    await store.audit(tx, session.begun_at, session.kind, session.method, session.subject, "ok")
    return secret


@router.post("/sessions/{session}/tokens", status_code=201)
async def session_token(_: Gateway, session: Secret, wish: TokenWish, db: Db) -> AccessToken:
    """A token for one service in the name of the session's owner; using a session keeps it alive.

    Tokens live less than a minute, so whoever is logged out, locked or relieved of a role is so everywhere by then.
    """
    at = now()
    before = await sessions.find(db, session)
    alive = domain.keep_alive(before, at)
    claims = await _claims(db, alive)
    domain.may_leave_identity(alive, wish.audience, needs_second_factor=policy().needs_second_factor)
    if alive is not before:
        await sessions.extend(db, session, alive.expires_at)
    return AccessToken(**tokens.issue(wish.audience, str(alive.subject), alive.kind, at, **claims))


async def _claims(db: Database, session: Session) -> dict[str, Any]:
    """What the token says of its owner, as of now."""
    proof = {"acr": session.acr, "auth_time": int(session.auth_time.timestamp())}
    if session.kind is Kind.OFFICER:
        officer = await officer_now(db, session.subject)
        return {**proof, "name": officer.display_name, "unit": officer.unit, "roles": list(officer.roles)}
    account = await find_account(db, session.subject)
    if account is None or account.state not in accounts.LOGIN_OPEN:
        raise SessionEnded()
    return {**proof, "name": account.display_name, "standardised": accounts.is_standardised(account)}


@router.delete("/sessions/{session}", status_code=204)
async def end_session(_: Gateway, session: Secret, tx: Tx) -> None:
    """Log out. Ending a session that has already ended is no mistake."""
    await sessions.end(tx, session)


# ── one's own sessions ────────────────────────────────────────────────────────────────────────────


class OwnSession(BaseModel):
    """One place where the caller is logged in."""

    id: str = Field(description="Names the session, and opens nothing.")
    method: str = Field(examples=["vneid"])
    begun_at: AwareDatetime
    expires_at: AwareDatetime


@router.get("/my/sessions")
async def own_sessions(who: Caller, db: Db) -> list[OwnSession]:
    """Where the caller is logged in, the newest first."""
    kind, ref = owner(who)
    return [OwnSession(**row) for row in await sessions.list_of(db, kind, ref, now())]


@router.delete("/my/sessions", status_code=204)
async def end_own_sessions(who: Caller, tx: Tx) -> None:
    """Log out everywhere."""
    kind, ref = owner(who)
    await sessions.end_all(tx, kind, ref)
    await store.audit(tx, now(), kind, "session", ref, "ended everywhere")


@router.delete("/my/sessions/{session_id}", status_code=204)
async def end_own_session(who: Caller, session_id: Annotated[str, Path(pattern="^[0-9a-f]{64}$")], tx: Tx) -> None:
    """Log out in one place; 404 when the session is not the caller's."""
    if not await sessions.end_one(tx, *owner(who), session_id):
        raise NotFound()


def owner(who: Token) -> tuple[Kind, Any]:
    """The realm and reference of a person; Forbidden for a service."""
    match who:
        case CitizenToken(ref=ref):
            return Kind.CITIZEN, ref
        case OfficerToken(ref=ref):
            return Kind.OFFICER, ref
        case _:
            raise Forbidden

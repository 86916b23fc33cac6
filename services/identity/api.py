"""HTTP in: logins, sessions, tokens, and who somebody is for those who may know."""

import secrets
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, ValidationError

from contracts.refusal import Refusal
from kit.auth import Citizen, Public, SystemToken, system
from kit.clock import now
from kit.db import Connection, Database
from kit.http import Db, Later, Router, Tx
from kit.problems import InvalidRequest, NotFound
from kit.settings import load
from services.identity import clients, domain, passwords, store, tokens
from services.identity.domain import Kind
from services.identity.settings import IdentitySettings

Gateway = Annotated[SystemToken, Depends(system("gateway"))]
Notification = Annotated[SystemToken, Depends(system("notification"))]
Secret = Annotated[str, Path(min_length=20, max_length=100)]
Purpose = Annotated[str, Query(pattern=r"^[A-Za-z0-9_.-]{1,60}$")]
"""A word, so that nobody can write about a person here."""

router = Router(prefix="/api/v1", tags=["identity"])
public = Router(tags=["tokens"])


class Body(BaseModel):
    """A request body: unknown members are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid")


# ── tokens of services ────────────────────────────────────────────────────────────────────────────


class ClientUnknown(Refusal):
    """No such service, or another secret."""

    status = 401
    title = "Tên hoặc mã bí mật của dịch vụ không đúng."
    title_en = "The client is unknown or its secret is wrong."


class ClientCredentials(Body):
    """RFC 6749 §4.4, as a form or as JSON."""

    grant_type: str = Field(pattern="^client_credentials$")
    client_id: str
    client_secret: SecretStr
    audience: str


class Token(BaseModel):
    """A bearer token and the seconds it lasts."""

    access_token: str
    expires_in: int
    token_type: str = "Bearer"  # noqa: S105 (the name of a scheme)


@public.get("/.well-known/jwks.json", dependencies=[Public])
async def jwks() -> dict[str, Any]:
    """The public keys that check every token of this installation."""
    return tokens.published()


@public.post("/oauth/token", dependencies=[Public])
async def client_token(request: Request) -> Token:
    """A service's own token for another service."""
    asked = await _credentials(request)
    if not tokens.client_is(asked.client_id, asked.client_secret.get_secret_value()):
        raise ClientUnknown()
    return Token(**tokens.issue(asked.audience, asked.client_id, "system", now()))


async def _credentials(request: Request) -> ClientCredentials:
    body = await request.body()
    try:
        if "json" in request.headers.get("content-type", ""):
            return ClientCredentials.model_validate_json(body)
        return ClientCredentials.model_validate(dict(parse_qsl(body.decode())))
    except (ValidationError, UnicodeDecodeError) as invalid:
        raise InvalidRequest() from invalid


# ── citizens log in ───────────────────────────────────────────────────────────────────────────────


class LoginWish(Body):
    """Somebody wants to log in with a provider and come back to `callback_url`."""

    provider: str = Field(default="vneid", pattern="^(vneid)$")
    callback_url: HttpUrl = Field(examples=["http://127.0.0.1:8080/dang-nhap/vneid"])


class LoginBegun(BaseModel):
    """Send the browser to `authorization_url`; it must come back with the `state` that it left with."""

    authorization_url: str
    state: str


class LoginAnswer(Body):
    """What the provider gave to the browser. `issuer` is RFC 9207's `iss`, when the provider sends it."""

    code: str = Field(min_length=1, max_length=4000)
    issuer: str | None = None


class CitizenSession(BaseModel):
    """A session of a citizen; `session` is a secret."""

    session: str
    account_ref: UUID
    display_name: str


@router.post("/logins", status_code=201)
async def begin_login(_: Gateway, wish: LoginWish, db: Db, later: Later) -> LoginBegun:
    """Begin a login with VNeID. The state lives ten minutes and is good once."""
    callback = str(wish.callback_url)
    if not callback.startswith(load(IdentitySettings).gateway_url.rstrip("/") + "/"):
        raise domain.CallbackForbidden()
    url, state, login = await clients.VNeID().begin(callback)
    await store.begin_login(await later.begin(), state, login, now())
    return LoginBegun(authorization_url=url, state=state)


@router.post("/logins/{state}/completion", status_code=201)
async def complete_login(_: Gateway, state: Secret, answer: LoginAnswer, db: Db, later: Later) -> CitizenSession:
    """The provider answered: the account is created or brought up to date, and a session begins."""
    login = await store.take_login(db, state, now())
    clients.check_issuer(answer.issuer)
    subject, person, level = await _proof(db, login, answer.code)
    tx = await later.begin()
    account = await _standardise(tx, login.provider, subject, person)
    secret = await _begin_session(tx, Kind.CITIZEN, account.ref, level, login.provider)
    return CitizenSession(session=secret, account_ref=account.ref, display_name=person.full_name)


async def _proof(db: Database, login: store.Login, code: str) -> tuple[str, domain.Person, int]:
    try:
        return await clients.VNeID().finish(login, code)
    except Refusal as refused:
        await store.audit(db, now(), Kind.CITIZEN, login.provider, None, type(refused).__name__)
        raise


async def _standardise(tx: Connection, provider: str, subject: str, person: domain.Person) -> domain.Account:
    before = await store.lock_person(tx, provider, subject, person.identity_number)
    account, *events = domain.link_eid(before, person, load(IdentitySettings).digest, now())
    await store.save(tx, account, *events)
    await store.link(tx, provider, subject, account.ref)
    return account


async def _begin_session(tx: Connection, kind: Kind, subject: UUID, level: int, method: str) -> str:
    """A new session's secret: 256 random bits, of which the database keeps the SHA-256."""
    secret, at = secrets.token_urlsafe(32), now()
    await store.begin_session(tx, secret, domain.begin_session(kind, subject, level, at))
    await store.audit(tx, at, kind, method, subject, "ok")
    return secret


# ── officers log in ───────────────────────────────────────────────────────────────────────────────


class OfficerCredentials(Body):
    """User name and password of an officer."""

    username: str = Field(min_length=1, max_length=100, examples=["mot-cua"])
    password: SecretStr = Field(min_length=1, max_length=200)


class OfficerSession(CitizenSession):
    """A session of an officer, and for whom the officer acts."""

    unit: str
    roles: list[str]


@router.post("/officer-sessions", status_code=201)
async def begin_officer_session(_: Gateway, given: OfficerCredentials, db: Db, later: Later) -> OfficerSession:
    """An officer logs in. Five guesses a quarter of an hour; an unknown name looks like a wrong password."""
    username = given.username.strip().lower()
    await _limit_attempts(db, username, now())
    officer = await _check_password(db, username, given.password.get_secret_value())
    tx = await later.begin()
    await store.clear_attempts(tx, username, now())
    secret = await _begin_session(tx, Kind.OFFICER, officer.ref, 1, "password")
    return OfficerSession(
        session=secret,
        account_ref=officer.ref,
        display_name=officer.display_name,
        unit=officer.unit,
        roles=list(officer.roles),
    )


async def _limit_attempts(db: Database, username: str, at: datetime) -> None:
    attempt, count = await store.count_attempt(db, username, at)
    try:
        domain.judge_attempts(count)
    except domain.TooManyAttempts:
        await store.forget_attempt(db, attempt)
        raise


async def _check_password(db: Database, username: str, password: str) -> store.Officer:
    officer = await store.find_officer(db, username)
    fits = await passwords.matches(officer.password_hash if officer else None, password)
    if officer is None or not fits:
        await store.audit(db, now(), Kind.OFFICER, "password", officer.ref if officer else None, "CredentialsRejected")
        raise domain.CredentialsRejected()
    return officer


# ── sessions ──────────────────────────────────────────────────────────────────────────────────────


class TokenWish(Body):
    """Which service the token is for."""

    audience: str = Field(examples=["dossier"])


@router.post("/sessions/{session}/tokens", status_code=201)
async def session_token(_: Gateway, session: Secret, wish: TokenWish, tx: Tx) -> Token:
    """A token for one service in the name of the session's owner; using a session keeps it alive."""
    at = now()
    alive = domain.keep_alive(await store.lock_session(tx, session), at)
    claims = await _claims(tx, alive)
    await store.extend_session(tx, session, alive)
    return Token(**tokens.issue(wish.audience, str(alive.subject), alive.kind, at, **claims))


async def _claims(tx: Connection, session: domain.Session) -> dict[str, Any]:
    """What the token says of its owner, as of now."""
    proof = {"acr": session.acr, "auth_time": int(session.auth_time.timestamp())}
    if session.kind == Kind.OFFICER:
        officer = await store.officer_now(tx, session.subject)
        return {**proof, "name": officer.display_name, "unit": officer.unit, "roles": list(officer.roles)}
    account = await store.find(tx, session.subject)
    if account is None or account.person is None or account.state in domain.LOGIN_CLOSED:
        raise domain.SessionEnded()
    return {**proof, "name": account.person.full_name}


@router.delete("/sessions/{session}", status_code=204)
async def end_session(_: Gateway, session: Secret, tx: Tx) -> None:
    """Log out. Ending a session that has already ended is no mistake."""
    await store.end_session(tx, session)


# ── accounts ──────────────────────────────────────────────────────────────────────────────────────


class Me(BaseModel):
    """Everything identity knows of the caller."""

    account_ref: UUID
    state: str
    name: str
    identity_number: str
    birth_date: str | None
    phone: str | None
    email: str | None
    verification_source: str
    standardised_at: datetime


class Contact(BaseModel):
    """Where somebody can be told something, at this moment. Not to be kept."""

    name: str
    email: str | None
    phone: str | None


@router.get("/accounts/me")
async def me(caller: Citizen, db: Db) -> Me:
    """The caller's own profile."""
    account, person = await _known(db, caller.ref)
    return Me(
        account_ref=account.ref,
        state=account.state,
        name=person.full_name,
        identity_number=person.identity_number,
        birth_date=person.birth_date.isoformat() if person.birth_date else None,
        phone=person.phone,
        email=person.email,
        verification_source=str(account.verification_source),
        standardised_at=account.standardised_at or now(),
    )


@router.get("/accounts/{ref}/contact")
async def contact(caller: Notification, ref: UUID, tx: Tx, purpose: Purpose) -> Contact:
    """Where to tell somebody something; not given without a record of who asked and what for."""
    _, person = await _known(tx, ref)
    await store.disclose(tx, now(), ref, caller.name, purpose)
    return Contact(name=person.full_name, email=person.email, phone=person.phone)


async def _known(tx: Connection | Database, ref: UUID) -> tuple[domain.Account, domain.Person]:
    account = await store.find(tx, ref)
    if account is None or account.person is None:
        raise NotFound()
    return account, account.person

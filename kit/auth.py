"""Who calls: identity's tokens are verified here, without the network but for identity's public keys.

A route takes `Citizen`, `Officer`, a role (`Depends(officer("desk"))`), a named service
(`Depends(system("notification"))`) or says `Public`; a route that says nothing fails a test.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import httpx2
import structlog
from fastapi import Depends, Request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.util import urlsafe_b64decode
from pydantic_core import from_json

from contracts.refusal import Refusal
from kit.problems import Forbidden, Unauthenticated, Unavailable

log = structlog.get_logger()

ALGORITHMS = ["ES256"]
KEYS_LIFE = 300.0
"""Seconds after which the public keys are asked for again."""
LEEWAY = 5
"""Seconds by which clocks may differ."""


class FreshProofNeeded(Refusal):
    """The act needs a login that is not older than `max_age` seconds (RFC 9470): log in again, then repeat it."""

    status = 401
    title = "Vui lòng xác nhận lại bạn là ai để tiếp tục"
    title_en = "Log in again to go on"


@dataclass(frozen=True, slots=True)
class Token:
    """A verified access token."""

    subject: str
    kind: str


@dataclass(frozen=True, slots=True)
class CitizenToken(Token):
    """A citizen, organisation or business, as identity knows them."""

    ref: UUID
    name: str
    acr: int
    """Level of assurance: 0 local account, 1 standardised, 2 e-ID."""
    auth_time: datetime
    """When they last proved who they are; acts that need a fresh proof compare it."""


@dataclass(frozen=True, slots=True)
class OfficerToken(Token):
    ref: UUID
    unit: str
    roles: frozenset[str]
    auth_time: datetime
    name: str = ""


@dataclass(frozen=True, slots=True)
class SystemToken(Token):
    name: str


class Keys:
    """Identity's public keys: fetched at first use, again (every 10 s at most) when a token names a new one, and now
    and then, so that a key that was taken back is not believed for ever."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self._keys: dict[str, Any] = {}
        self._fetched = 0.0
        self._lock = asyncio.Lock()

    async def named(self, kid: str) -> Any:
        if kid not in self._keys:
            await self._refresh()
        elif time.monotonic() - self._fetched > KEYS_LIFE:
            await self._refresh_if_possible()
        if kid not in self._keys:
            raise Unauthenticated("Phiên đăng nhập không còn hợp lệ, xin đăng nhập lại")
        return self._keys[kid]

    async def _refresh_if_possible(self) -> None:
        """Identity away is no reason to turn somebody away whose key was good a moment ago."""
        try:
            await self._refresh()
        except Unavailable:
            log.warning("auth.keys_not_renewed")
            self._fetched = time.monotonic() - KEYS_LIFE + 10

    async def _refresh(self) -> None:
        async with self._lock:
            if self._keys and time.monotonic() - self._fetched < 10:
                return
            try:
                async with httpx2.AsyncClient(timeout=3) as client:
                    answer = await client.get(f"{self.issuer}/.well-known/jwks.json")
                    answer.raise_for_status()
                self.use(answer.json())
            except (httpx2.HTTPError, JoseError, ValueError, KeyError) as exc:
                raise Unavailable from exc

    def use(self, jwks: dict[str, Any]) -> None:
        """Take these public keys (a JWK Set)."""
        self._keys = {str(key.kid): key for key in KeySet.import_key_set(jwks).keys}  # type: ignore[arg-type]
        self._fetched = time.monotonic()


REMEMBERED = 4096
"""Tokens of one process that were checked before: a session sends the same one for most of a minute."""


class Verifier:
    """Checks the tokens that are meant for one service."""

    def __init__(self, audience: str, keys: Keys) -> None:
        self.keys = keys
        self._checked: OrderedDict[str, tuple[Token, float]] = OrderedDict()
        self._claims = jwt.JWTClaimsRegistry(
            leeway=LEEWAY,
            iss={"essential": True, "value": keys.issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
        )

    async def verify(self, encoded: str) -> Token:
        """The token's owner; Unauthenticated for anything that is not exactly right."""
        owner, end = self._checked.get(encoded, (None, 0.0))
        if owner and time.time() < end:
            return owner
        try:
            owner, end = await self._check(encoded)
        except (JoseError, ValueError, KeyError, TypeError) as exc:
            log.info("auth.refused", error=type(exc).__name__)
            raise Unauthenticated("Phiên đăng nhập không hợp lệ hoặc đã hết hạn") from exc
        self._checked[encoded] = owner, end
        if len(self._checked) > REMEMBERED:
            self._checked.popitem(last=False)
        return owner

    async def _check(self, encoded: str) -> tuple[Token, float]:
        """(the owner, until when), once all of it was looked at."""
        token = jwt.decode(encoded, await self.keys.named(_header(encoded)["kid"]), algorithms=ALGORITHMS)
        if token.header.get("typ") != "at+jwt" or not isinstance(token.claims.get("aud"), str):
            raise Unauthenticated
        self._claims.validate(token.claims)
        return _owner(token.claims), float(token.claims["exp"])


def _header(encoded: str) -> dict[str, Any]:
    """What the token says of itself, before anything of it is believed."""
    header: dict[str, Any] = from_json(urlsafe_b64decode(encoded.partition(".")[0].encode()))
    return header


def _owner(claims: dict[str, Any]) -> Token:
    subject, kind = str(claims["sub"]), claims["kind"]
    if kind == "system":
        return SystemToken(subject, kind, subject)
    proved = datetime.fromtimestamp(int(claims["auth_time"]), UTC)
    if kind == "officer":
        unit, roles, name = claims["unit"], frozenset(claims["roles"]), claims.get("name", "")
        return OfficerToken(subject, kind, UUID(subject), unit, roles, proved, name)
    if kind == "citizen":
        return CitizenToken(subject, kind, UUID(subject), claims.get("name", ""), int(claims["acr"]), proved)
    raise ValueError(kind)


async def identify(request: Request) -> None:
    """Verify the bearer token, if there is one, and keep it at `request.state.token`."""
    request.state.token = None
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and encoded:
        verifier: Verifier = request.app.state.verifier
        request.state.token = await verifier.verify(encoded)


# Dependencies are coroutines, though they never wait: FastAPI runs plain functions in threads, which costs more than
# all they do.


def _token(request: Request) -> Token:
    token: Token | None = request.state.token
    if token is None:
        raise Unauthenticated
    return token


async def caller(request: Request) -> Token:
    """Anybody with a valid token."""
    return _token(request)


async def citizen(request: Request) -> CitizenToken:
    token = _token(request)
    if not isinstance(token, CitizenToken):
        raise Forbidden
    return token


def officer(*roles: str) -> Callable[[Request], Awaitable[OfficerToken]]:
    """A dependency that demands an officer with one of these roles (any officer when none is named)."""

    async def demand(request: Request) -> OfficerToken:
        token = _token(request)
        if not isinstance(token, OfficerToken) or (roles and not token.roles.intersection(roles)):
            raise Forbidden
        return token

    _may_call(demand, f"officer({', '.join(roles)})")
    return demand


def system(*names: str) -> Callable[[Request], Awaitable[SystemToken]]:
    """A dependency that demands one of these services, by its own token."""

    async def demand(request: Request) -> SystemToken:
        token = _token(request)
        if not isinstance(token, SystemToken) or token.name not in names:
            raise Forbidden
        return token

    _may_call(demand, f"system({', '.join(names)})")
    return demand


def recent(minutes: int = 10) -> Callable[[Request], Awaitable[None]]:
    """A dependency, beside the one that says who may call: they proved who they are within these minutes."""

    async def demand(request: Request) -> None:
        token = _token(request)
        if not isinstance(token, CitizenToken | OfficerToken):
            raise Forbidden
        if datetime.now(UTC) - token.auth_time > timedelta(minutes=minutes, seconds=LEEWAY):
            raise FreshProofNeeded(max_age=minutes * 60)

    return demand


async def public() -> None:
    """Anybody may call this, and the route says so."""


def _may_call(dependency: Callable[..., Any], who: str) -> None:
    """Written on the dependency, so that a test finds out who may call each route."""
    dependency.who_may_call = who  # type: ignore[attr-defined]


_may_call(caller, "anybody with a token")
_may_call(citizen, "citizen")
_may_call(public, "public")

any_officer = officer()
ADMINISTRATOR = "system_admin"
"""The role that runs the system: it stands alone, and opens nothing that is about somebody's affairs."""


async def officer_at_work(request: Request) -> OfficerToken:
    """Any officer but the one who only runs the system."""
    token = await any_officer(request)
    if token.roles == {ADMINISTRATOR}:
        raise Forbidden
    return token


_may_call(officer_at_work, "officer() at work")

Citizen = Annotated[CitizenToken, Depends(citizen)]
Officer = Annotated[OfficerToken, Depends(officer_at_work)]
Caller = Annotated[Token, Depends(caller)]
Public = Depends(public)

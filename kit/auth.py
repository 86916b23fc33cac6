"""Who calls: identity's tokens are verified here, without the network but for identity's public keys.

A route takes `Citizen`, `Officer`, a role (`Depends(officer("desk"))`), a named service
(`Depends(system("notification"))`) or says `Public`; a route that says nothing fails a test.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import httpx2
import structlog
from fastapi import Depends, Request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact

from kit.problems import Forbidden, Unauthenticated, Unavailable

log = structlog.get_logger()

ALGORITHMS = ["ES256"]
LEEWAY = 5
"""Seconds by which clocks may differ."""


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
    """Identity's public keys: fetched at first use, and again (every 10 s at most) when a token names a new one."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self._keys: dict[str, Any] = {}
        self._fetched = 0.0
        self._lock = asyncio.Lock()

    async def named(self, kid: str) -> Any:
        if kid not in self._keys:
            await self._refresh()
        if kid not in self._keys:
            raise Unauthenticated("Phiên đăng nhập không còn hợp lệ, xin đăng nhập lại")
        return self._keys[kid]

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


class Verifier:
    """Checks the tokens that are meant for one service."""

    def __init__(self, audience: str, keys: Keys) -> None:
        self.keys = keys
        self._claims = jwt.JWTClaimsRegistry(
            leeway=LEEWAY,
            iss={"essential": True, "value": keys.issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
        )

    async def verify(self, encoded: str) -> Token:
        """The token's owner; Unauthenticated for anything that is not exactly right."""
        try:
            kid = _header(encoded)["kid"]
            token = jwt.decode(encoded, await self.keys.named(kid), algorithms=ALGORITHMS)
            if token.header.get("typ") != "at+jwt" or not isinstance(token.claims.get("aud"), str):
                raise Unauthenticated
            self._claims.validate(token.claims)
            return _owner(token.claims)
        except (JoseError, ValueError, KeyError, TypeError) as exc:
            log.info("auth.refused", error=type(exc).__name__)
            raise Unauthenticated("Phiên đăng nhập không hợp lệ hoặc đã hết hạn") from exc


def _header(encoded: str) -> dict[str, Any]:
    header: dict[str, Any] = extract_compact(encoded.encode()).headers()
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


async def public() -> None:
    """Anybody may call this, and the route says so."""


def _may_call(dependency: Callable[..., Any], who: str) -> None:
    """Written on the dependency, so that a test finds out who may call each route."""
    dependency.who_may_call = who  # type: ignore[attr-defined]


_may_call(caller, "anybody with a token")
_may_call(citizen, "citizen")
_may_call(public, "public")

any_officer = officer()

Citizen = Annotated[CitizenToken, Depends(citizen)]
Officer = Annotated[OfficerToken, Depends(any_officer)]
Caller = Annotated[Token, Depends(caller)]
Public = Depends(public)

"""VNeID as an OpenID Connect provider: code flow with PKCE (S256), state, nonce and issuer checked."""

import base64
import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

import httpx2
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from contracts.refusal import Refusal
from kit.settings import load
from services.identity import domain
from services.identity.settings import IdentitySettings
from services.identity.store import Login

PROVIDERS = ("vneid",)
ALGORITHMS = ["ES256", "RS256", "PS256"]
METADATA_LIFE = 600.0
"""Seconds that the provider's addresses and keys are believed without asking again."""


class ProviderAway(Refusal):
    """The identity provider did not answer; nothing of the login is kept."""

    status = 503
    title = "Hệ thống định danh (VNeID) tạm thời không phản hồi. Vui lòng thử đăng nhập lại sau ít phút."
    title_en = "The identity provider is not answering; please try again in a few minutes."


class ProviderAnswerRefused(Refusal):
    """The answer is not to our question: another issuer, audience, nonce, signature or code."""

    status = 400
    title = "Không xác nhận được kết quả đăng nhập. Vui lòng đăng nhập lại."
    title_en = "The provider's answer could not be verified; please log in again."


@dataclass(frozen=True, slots=True)
class Metadata:
    """Where the provider's end points are, and the keys it signs with."""

    authorization_endpoint: str
    token_endpoint: str
    keys: KeySet
    read_at: float


class VNeID:
    """One provider; keeps its metadata for ten minutes."""

    _known: ClassVar[dict[str, Metadata]] = {}

    def __init__(self) -> None:
        self._settings = load(IdentitySettings)
        self._issuer = self._settings.vneid_issuer.rstrip("/")

    async def begin(self, callback_url: str) -> tuple[str, str, Login]:
        """(address to send the browser to, state, what to remember until it comes back)."""
        metadata = await self._metadata()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        query = {
            "response_type": "code",
            "client_id": self._settings.vneid_client_id,
            "redirect_uri": callback_url,
            "scope": self._settings.vneid_scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
        }
        url = f"{metadata.authorization_endpoint}?{urlencode(query)}"
        return url, state, Login("vneid", nonce, verifier, callback_url)

    async def finish(self, login: Login, code: str) -> tuple[str, domain.Person, int]:
        """(the provider's name for the person, the person, the level of proof) behind a code."""
        metadata = await self._metadata()
        answer = await self._exchange(metadata, login, code)
        claims = self._verified(metadata.keys, str(answer.get("id_token", "")), login.nonce)
        level = _level(claims.get(self._settings.vneid_claims["level"]))
        return str(claims["sub"]), _person(claims, self._settings.vneid_claims, level), level

    async def _exchange(self, metadata: Metadata, login: Login, code: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": login.callback_url,
            "code_verifier": login.code_verifier,
        }
        secret = self._settings.vneid_client_secret.get_secret_value()
        auth = httpx2.BasicAuth(self._settings.vneid_client_id, secret)
        return await _fetch("POST", metadata.token_endpoint, data=form, auth=auth)

    def _verified(self, keys: KeySet, id_token: str, nonce: str) -> dict[str, Any]:
        registry = jwt.JWTClaimsRegistry(
            leeway=30,
            iss={"essential": True, "value": self._settings.vneid_issuer},
            aud={"essential": True, "value": self._settings.vneid_client_id},
            nonce={"essential": True, "value": nonce},
            exp={"essential": True},
            sub={"essential": True},
        )
        try:
            claims = jwt.decode(id_token, keys, algorithms=ALGORITHMS).claims
            registry.validate(claims)
        except (JoseError, ValueError) as refused:
            self._known.pop(self._issuer, None)  # its keys may have changed: read them again next time
            raise ProviderAnswerRefused() from refused
        return claims

    async def _metadata(self) -> Metadata:
        known = self._known.get(self._issuer)
        if known and time.monotonic() - known.read_at < METADATA_LIFE:
            return known
        found = await _fetch("GET", f"{self._issuer}/.well-known/openid-configuration")
        if found.get("issuer") != self._settings.vneid_issuer:
            raise ProviderAnswerRefused()
        keys = KeySet.import_key_set(await _fetch("GET", found["jwks_uri"]))  # type: ignore[arg-type]
        metadata = Metadata(found["authorization_endpoint"], found["token_endpoint"], keys, time.monotonic())
        self._known[self._issuer] = metadata
        return metadata


async def _fetch(method: str, url: str, **how: Any) -> dict[str, Any]:
    """The provider's JSON answer. 4xx: it refuses what we brought; anything else: it is away."""
    try:
        async with httpx2.AsyncClient(timeout=httpx2.Timeout(5, connect=2), follow_redirects=False) as http:
            answer = await http.request(method, url, **how)
    except httpx2.HTTPError as away:
        raise ProviderAway() from away
    if answer.status_code >= 500:
        raise ProviderAway()
    if answer.status_code != 200:
        raise ProviderAnswerRefused()
    return _json(answer)


def _json(answer: httpx2.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError as not_json:
        raise ProviderAway() from not_json
    if not isinstance(found, dict):
        raise ProviderAway()
    return found


def check_issuer(issuer: str | None) -> None:
    """RFC 9207: an answer that names another issuer belongs to a mixed-up login."""
    if issuer is not None and issuer != load(IdentitySettings).vneid_issuer:
        raise ProviderAnswerRefused()


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _person(claims: Mapping[str, Any], names: Mapping[str, str], level: int) -> domain.Person:
    """The claims in our words; refused by the domain when they prove nobody."""

    def text(field: str) -> str:
        return str(claims.get(names[field]) or "")

    return domain.proven(
        name=text("name"),
        number=text("number"),
        level=level,
        birth_date=_date(text("birth_date")),
        phone=text("phone"),
        email=text("email"),
    )


def _level(claim: object) -> int:
    """`2`, `"2"` or `"level2"` → 2; 0 when there is none."""
    digits = [c for c in str(claim or "") if c.isdecimal()]
    return int(digits[-1]) if digits else 0


def _date(text: str) -> date | None:
    """`1990-12-31` or `31/12/1990`; None for anything else: nobody needs a birth date to log in."""
    for pattern in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            return datetime.strptime(text, pattern).date()  # noqa: DTZ007 (a birth date has no zone)
        except ValueError:
            continue
    return None

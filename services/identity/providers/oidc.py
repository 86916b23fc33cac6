"""An OpenID Connect provider (VNeID, the national portal): code flow with PKCE (S256); state, nonce, issuer checked.

Authlib speaks to the provider, joserfc checks what it signed; which claim means what is configuration.
"""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, ClassVar

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact

from contracts import identifiers
from contracts.identity import VerificationSource
from contracts.refusal import Refusal
from kit.settings import load
from services.identity.accounts import domain
from services.identity.accounts.domain import Organisation, Proof
from services.identity.logins.domain import LoginMethodOff
from services.identity.logins.store import Login
from services.identity.settings import IdentitySettings, ProviderSettings

NAMES = ("vneid", "national_portal")
ALGORITHMS = ["ES256", "RS256", "PS256"]
METADATA_LIFE = 600.0
"""Seconds that the provider's addresses and keys are believed without asking again."""
TIMEOUT = httpx2.Timeout(5, connect=2)


class ProviderAway(Refusal):
    """The identity provider did not answer; nothing of the login is kept."""

    status = 503
    title = "Hệ thống định danh điện tử (VNeID) tạm thời không phản hồi. Vui lòng thử đăng nhập lại sau ít phút."
    title_en = "The identity provider is not answering; please try again in a few minutes."


class ProviderAnswerRefused(Refusal):
    """The answer is not to our question: another issuer, audience, nonce, signature or code."""

    status = 400
    title = "Không xác nhận được kết quả đăng nhập. Vui lòng đăng nhập lại."
    title_en = "The provider's answer could not be verified; please log in again."


class FreshLoginNeeded(Refusal):
    """The person was to log in again, and the provider answered with an old login."""

    status = 403
    title = "Bạn cần xác nhận lại bằng VNeID để tiếp tục. Vui lòng thử lại."
    title_en = "A fresh login at the provider is needed."


@dataclass(frozen=True, slots=True)
class Metadata:
    """Where the provider's end points are, and the keys it signs with."""

    authorization_endpoint: str
    token_endpoint: str
    keys: KeySet
    read_at: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a login at a provider says."""

    subject: str
    """The provider's own name for the person."""
    proof: Proof
    level: int
    logged_in_at: datetime | None
    """When the person logged in there, if the provider says so."""


class Provider:
    """One provider; keeps its metadata for ten minutes, and asks for its keys again when it signs with a new one."""

    _known: ClassVar[dict[str, Metadata]] = {}

    def __init__(self, name: str) -> None:
        settings = load(IdentitySettings)
        self.settings: ProviderSettings = settings.provider(name)
        if not self.settings.issuer:
            raise LoginMethodOff()

    async def begin(self, login: Login) -> tuple[str, str, Login]:
        """(address to send the browser to, state, what to remember until it comes back)."""
        metadata = await self._metadata()
        nonce, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        again = {"prompt": "login", "max_age": "0"} if login.fresh else {}
        async with self._client(login.callback_url) as client:
            url, state = client.create_authorization_url(
                metadata.authorization_endpoint,
                state=secrets.token_urlsafe(32),
                code_verifier=verifier,
                nonce=nonce,
                **again,
            )
        return url, state, replace(login, nonce=nonce, code_verifier=verifier)

    async def finish(self, login: Login, code: str, issuer: str | None) -> Answer:
        """Who is behind a code. `issuer` is RFC 9207's `iss`: another one belongs to a mixed-up login."""
        if issuer is not None and issuer != self.settings.issuer:
            raise ProviderAnswerRefused()
        metadata = await self._metadata()
        given = await self._exchange(metadata, login, code)
        claims = await self._verified(metadata, str(given.get("id_token", "")), login.nonce)
        answer = self._understood(claims)
        if login.fresh and not _is_fresh(answer.logged_in_at):
            raise FreshLoginNeeded()
        return answer

    def _client(self, callback_url: str) -> AsyncOAuth2Client:
        return AsyncOAuth2Client(
            self.settings.client_id,
            self.settings.client_secret,
            scope=self.settings.scope,
            redirect_uri=callback_url,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic",  # noqa: S106 (the name of a method)
            timeout=TIMEOUT,
            follow_redirects=False,
        )

    async def _exchange(self, metadata: Metadata, login: Login, code: str) -> dict[str, Any]:
        try:
            async with self._client(login.callback_url) as client:
                given = await client.fetch_token(
                    metadata.token_endpoint,
                    code=code,
                    code_verifier=login.code_verifier,
                    grant_type="authorization_code",
                )
        except OAuthError as refused:
            raise ProviderAnswerRefused() from refused
        except (httpx2.HTTPError, ValueError) as away:
            raise ProviderAway() from away
        return dict(given)

    async def _verified(self, metadata: Metadata, id_token: str, nonce: str) -> dict[str, Any]:
        registry = jwt.JWTClaimsRegistry(
            leeway=30,
            iss={"essential": True, "value": self.settings.issuer},
            aud={"essential": True, "value": self.settings.client_id},
            nonce={"essential": True, "value": nonce},
            exp={"essential": True},
            sub={"essential": True},
        )
        try:
            keys = await self._keys_for(metadata, id_token)
            claims = jwt.decode(id_token, keys, algorithms=ALGORITHMS).claims
            registry.validate(claims)
        except (JoseError, ValueError) as refused:
            raise ProviderAnswerRefused() from refused
        return claims

    async def _keys_for(self, metadata: Metadata, id_token: str) -> KeySet:
        """The known keys, or those of now when the token names one that is new to us."""
        named = extract_compact(id_token.encode()).headers().get("kid")
        if named is None or any(key.kid == named for key in metadata.keys.keys):
            return metadata.keys
        return (await self._read()).keys

    async def _metadata(self) -> Metadata:
        known = self._known.get(self.settings.issuer)
        return known if known and time.monotonic() - known.read_at < METADATA_LIFE else await self._read()

    async def _read(self) -> Metadata:
        issuer = self.settings.issuer
        found = await _fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != issuer:
            raise ProviderAnswerRefused()
        login, token, jwks = (str(found.get(n, "")) for n in ("authorization_endpoint", "token_endpoint", "jwks_uri"))
        keys = KeySet.import_key_set(await _fetch(jwks))  # type: ignore[arg-type]
        self._known[issuer] = metadata = Metadata(login, token, keys, time.monotonic())
        return metadata

    def _understood(self, claims: Mapping[str, Any]) -> Answer:
        """The claims in our words; refused by the domain when they prove nobody."""

        def text(field: str) -> str:
            return str(claims.get(self.settings.claims.get(field, "")) or "")

        level = _level(claims.get(self.settings.claims["level"]))
        proof = domain.proven(
            source=VerificationSource(self.settings.name),
            level=level,
            name=text("name"),
            number=text("number"),
            birth_date=_date(text("birth_date")),
            issued_on=_date(text("issued_on")),
            phone=text("phone"),
            email=text("email"),
            organisation=_organisation(text("organisation"), text("tax_code")),
        )
        return Answer(str(claims["sub"]), proof, level, _moment(claims.get("auth_time")))


async def _fetch(url: str) -> dict[str, Any]:
    """The provider's JSON document. 4xx: it refuses what we brought; anything else: it is away."""
    try:
        async with httpx2.AsyncClient(timeout=TIMEOUT, follow_redirects=False) as http:
            answer = await http.get(url)
        found = answer.json() if answer.status_code == 200 else None
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as away:
        raise ProviderAway() from away
    if not isinstance(found, dict):
        raise ProviderAway()
    return found


def _organisation(name: str, code: str) -> Organisation | None:
    return Organisation(" ".join(name.split()), identifiers.tax_code(code)) if name and code else None


def _level(claim: object) -> int:
    """`2`, `"2"` or `"level2"` → 2; 0 when there is none."""
    digits = [c for c in str(claim or "") if c.isascii() and c.isdecimal()]
    return int(digits[-1]) if digits else 0


def _date(text: str) -> date | None:
    """`1990-12-31` or `31/12/1990`; None for anything else: nobody needs a birth date to log in."""
    for pattern in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            return datetime.strptime(text, pattern).date()  # noqa: DTZ007 (a birth date has no zone)
        except ValueError:
            continue
    return None


def _moment(claim: object) -> datetime | None:
    return datetime.fromtimestamp(int(claim), UTC) if isinstance(claim, int | float) and claim > 0 else None


FRESH = 300.0
"""Seconds: a login that was asked for again is younger than the time a person needs for it."""


def _is_fresh(moment: datetime | None) -> bool:
    """A provider that does not say when somebody logged in is believed to have asked, as it was told."""
    return moment is None or (datetime.now(UTC) - moment).total_seconds() < FRESH

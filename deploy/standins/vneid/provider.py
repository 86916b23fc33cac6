"""The rules of the provider: which requests are good, what a code is worth, what the tokens say."""

import base64
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.jwk import ECKey
from pydantic import BaseModel

from deploy.standins.common import Recent, setting
from deploy.standins.vneid import people
from deploy.standins.vneid.people import Person

TOKEN_SECONDS = 300
NATIONAL_PORTAL = "/cong-quoc-gia"
"""Below VNeID's address, in the same process."""


class AuthorizationRequest(BaseModel):
    """The query of the authorization URL; a missing parameter is empty."""

    client_id: str = ""
    redirect_uri: str = ""
    response_type: str = ""
    scope: str = ""
    state: str = ""
    nonce: str = ""
    code_challenge: str = ""
    code_challenge_method: str = ""
    prompt: str = ""
    """`login`: the person logs in again, whoever is logged in here."""
    max_age: str = ""
    """Seconds since the last login that still count."""

    @property
    def wants_fresh_login(self) -> bool:
        return "login" in self.prompt.split() or self.max_age == "0"


class TokenRequest(BaseModel):
    """The form posted to the token endpoint; a missing field is empty."""

    grant_type: str = ""
    code: str = ""
    redirect_uri: str = ""
    code_verifier: str = ""
    client_id: str = ""
    client_secret: str = ""


class OAuthError(Exception):
    """A request is refused with one of the error codes of RFC 6749 and OpenID Connect."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


class UnknownClient(OAuthError):
    """The asker or its redirect URI is not known, so nobody may be sent back to it."""


@dataclass(frozen=True)
class Grant:
    """What an authorization code stands for, until it is used."""

    request: AuthorizationRequest
    person: Person
    auth_time: int
    expires_at: float


@dataclass
class Provider:
    issuer: str
    client_id: str
    client_secret: str
    redirect_prefixes: tuple[str, ...]
    people: dict[str, Person]
    portal_name: str
    code_seconds: float
    key: ECKey
    title: str = "VNeID"
    """What its pages call themselves."""
    for_businesses: bool = False
    """Businesses log in here too, and claims name them."""
    grants: Recent[Grant] = field(default_factory=lambda: Recent(10_000))
    used_codes: Recent[str] = field(default_factory=lambda: Recent(10_000))
    """Used code → the access token it gave: a code that comes twice takes its token with it."""
    sessions: Recent[tuple[Person, float]] = field(default_factory=lambda: Recent(10_000))
    """Access token → whom it speaks of, and until when."""
    logged_in: Recent[tuple[str, int]] = field(default_factory=lambda: Recent(10_000))
    """A browser's cookie → the identity number of who logged in there last, and when."""

    def check(self, asked: AuthorizationRequest) -> None:
        """Raises UnknownClient when nobody may be sent back, OAuthError when the asker is told."""
        if asked.client_id != self.client_id:
            raise UnknownClient("unauthorized_client", "Ứng dụng này chưa đăng ký với VNeID thử nghiệm.")
        if not self._may_return_to(asked.redirect_uri):
            raise UnknownClient("invalid_request", "Địa chỉ quay lại (redirect_uri) chưa được đăng ký.")
        if asked.response_type != "code":
            raise OAuthError("unsupported_response_type", "response_type must be code")
        if "openid" not in asked.scope.split():
            raise OAuthError("invalid_scope", "scope must contain openid")
        if not asked.state or not asked.nonce:
            raise OAuthError("invalid_request", "state and nonce are required")
        if asked.code_challenge_method != "S256" or len(asked.code_challenge) != 43:
            raise OAuthError("invalid_request", "PKCE with code_challenge_method S256 is required")

    def _may_return_to(self, uri: str) -> bool:
        below = any(uri.startswith(prefix.rstrip("/") + "/") for prefix in self.redirect_prefixes)
        return below and "#" not in uri and "\\" not in uri and ".." not in urlsplit(uri).path.split("/")

    def grant(self, asked: AuthorizationRequest, person: Person, auth_time: int | None = None) -> str:
        """The address that the browser of this person is sent back to, with a new code."""
        code = secrets.token_urlsafe(32)
        self.grants[code] = Grant(asked, person, auth_time or int(time.time()), time.monotonic() + self.code_seconds)
        return self.answer(asked, code=code)

    def log_in(self, asked: AuthorizationRequest, person: Person, cookie: str) -> tuple[str, int]:
        """(the browser's cookie, when this person logged in here): an earlier login counts unless a fresh one is
        wanted, or `max_age` is over."""
        number, since = self.logged_in.get(cookie, ("", 0))
        age = int(time.time()) - since
        too_old = asked.max_age.isdecimal() and age > int(asked.max_age)
        if number == person.identity_number and not asked.wants_fresh_login and not too_old:
            return cookie, since
        fresh = secrets.token_urlsafe(24)
        self.logged_in[fresh] = (person.identity_number, int(time.time()))
        return fresh, int(time.time())

    def claims(self, person: Person) -> dict[str, str]:
        """What is said of a person here."""
        return person.claims(with_business=self.for_businesses)

    def answer(self, asked: AuthorizationRequest, **parameters: str) -> str:
        """The redirect URI with the answer's parameters, the state and the issuer (RFC 9207)."""
        if asked.state:
            parameters["state"] = asked.state
        joined = "&" if urlsplit(asked.redirect_uri).query else "?"
        return asked.redirect_uri + joined + urlencode({**parameters, "iss": self.issuer})

    def is_client(self, client_id: str, client_secret: str) -> bool:
        known = hmac.compare_digest(client_id.encode(), self.client_id.encode())
        return hmac.compare_digest(client_secret.encode(), self.client_secret.encode()) and known

    def redeem(self, asked: TokenRequest) -> dict[str, str | int]:
        """The token endpoint's answer; OAuthError unless everything about the code is right."""
        if asked.grant_type != "authorization_code":
            raise OAuthError("unsupported_grant_type", "grant_type must be authorization_code")
        grant = self.grants.pop(asked.code, None)
        if asked.code in self.used_codes:
            self.sessions.pop(self.used_codes[asked.code], None)
        if grant is None or time.monotonic() > grant.expires_at:
            raise OAuthError("invalid_grant", "the code is unknown, used or expired")
        if asked.redirect_uri != grant.request.redirect_uri:
            raise OAuthError("invalid_grant", "redirect_uri differs from the authorization request")
        if not hmac.compare_digest(_s256(asked.code_verifier), grant.request.code_challenge.encode()):
            raise OAuthError("invalid_grant", "code_verifier does not match the code_challenge")
        return self._tokens(asked.code, grant)

    def _tokens(self, code: str, grant: Grant) -> dict[str, str | int]:
        access_token = secrets.token_urlsafe(32)
        self.sessions[access_token] = (grant.person, time.monotonic() + TOKEN_SECONDS)
        self.used_codes[code] = access_token
        return {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "scope": grant.request.scope,
            "id_token": self._id_token(grant),
        }

    def _id_token(self, grant: Grant) -> str:
        issued_at = int(time.time())
        claims = {
            **self.claims(grant.person),
            "iss": self.issuer,
            "aud": self.client_id,
            "iat": issued_at,
            "exp": issued_at + TOKEN_SECONDS,
            "auth_time": grant.auth_time,
            "nonce": grant.request.nonce,
        }
        return jwt.encode({"alg": "ES256", "kid": self.key.kid, "typ": "JWT"}, claims, self.key)

    def person_of(self, access_token: str) -> Person | None:
        """Whom the token speaks of; None when it is unknown or expired."""
        person, expires_at = self.sessions.get(access_token, (None, 0.0))
        return person if time.monotonic() <= expires_at else None

    def discovery(self) -> dict[str, object]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/jwks.json",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public"],
            "scopes_supported": ["openid", "profile", "phone", "email"],
            "acr_values_supported": ["1", "2"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "claims_supported": sorted({claim for person in self.people.values() for claim in self.claims(person)}),
            "authorization_response_iss_parameter_supported": True,
        }

    def jwks(self) -> dict[str, object]:
        return {"keys": [self.key.as_dict(private=False)]}


def _s256(verifier: str) -> bytes:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=")


def signing_key(secret: str, salt: bytes = b"") -> ECKey:
    """The key of this installation: the same after a restart, as a real provider's would be."""
    scalar = int.from_bytes(hashlib.sha512(b"vneid signing key" + salt + secret.encode()).digest())
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
    private = ec.derive_private_key(scalar % (order - 1) + 1, ec.SECP256R1())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    key = ECKey.import_key(pem, {"use": "sig", "alg": "ES256"})
    key.ensure_kid()
    return key


def from_environment() -> tuple[Provider, Provider]:
    """VNeID and the national portal, as the environment of the package's docstring describes them."""
    issuer = setting("MOTCUA_VNEID_ISSUER").rstrip("/")
    portal = _provider(issuer + NATIONAL_PORTAL, b"national portal ")
    return _provider(issuer, b""), replace(portal, title="Cổng Dịch vụ công quốc gia", for_businesses=True)


def _provider(issuer: str, salt: bytes) -> Provider:
    tenant = Path(setting("MOTCUA_TENANT", "deploy/tenants/an-binh"))
    client_secret = setting("MOTCUA_VNEID_CLIENT_SECRET")
    return Provider(
        issuer=issuer,
        client_id=setting("MOTCUA_VNEID_CLIENT_ID"),
        client_secret=client_secret,
        key=signing_key(client_secret, salt),
        redirect_prefixes=tuple(prefix.strip() for prefix in setting("MOTCUA_GATEWAY_URL").split(",")),
        people=people.read(tenant),
        portal_name=people.portal_name(tenant),
        code_seconds=float(setting("MOTCUA_VNEID_CODE_SECONDS", "60")),
    )

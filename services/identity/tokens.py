"""Access tokens for one audience, signed ES256, five minutes long; and the keys that check them."""

import hashlib
import hmac
import json
from datetime import datetime
from functools import cache
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from kit import ids
from kit.settings import load
from services.identity import domain
from services.identity.settings import IdentitySettings


@cache
def _keys() -> KeySet:
    """The signing keys, the current one first; a key without a `kid` is named by its RFC 7638 thumbprint."""
    found = json.loads(load(IdentitySettings).token_key.read_bytes())
    return KeySet([_key(data) for data in found.get("keys", [found])])


def _key(data: dict[str, Any]) -> ECKey:
    key = ECKey.import_key(data)
    return ECKey.import_key(data, {"kid": data.get("kid") or key.thumbprint(), "use": "sig", "alg": "ES256"})


def published() -> dict[str, Any]:
    """The JWK set without anything private."""
    return {"keys": [key.as_dict(private=False) for key in _keys()]}


def audiences() -> frozenset[str]:
    """The services a token may be made for."""
    return frozenset(load(IdentitySettings).clients) | {"identity"}


def issue(audience: str, subject: str, kind: str, now: datetime, **claims: Any) -> dict[str, Any]:
    """A signed token and how many seconds it lasts; refuses an audience that is no service of ours."""
    if audience not in audiences():
        raise domain.AudienceUnknown()
    key = _keys().keys[0]
    issued, lasts = int(now.timestamp()), int(domain.TOKEN_LIFE.total_seconds())
    body = {
        "iss": load(IdentitySettings).identity_url,
        "aud": audience,
        "sub": subject,
        "kind": kind,
        "iat": issued,
        "exp": issued + lasts,
        "jti": str(ids.new()),
        **claims,
    }
    header = {"alg": "ES256", "typ": "at+jwt", "kid": key.kid}
    return {"access_token": jwt.encode(header, body, key, algorithms=["ES256"]), "expires_in": lasts}


def client_is(client_id: str, secret: str) -> bool:
    """Whether the secret is that service's; takes the same time for a name that does not exist."""
    expected = load(IdentitySettings).clients.get(client_id, "0" * 64)
    return hmac.compare_digest(hashlib.sha256(secret.encode()).hexdigest(), expected.lower())

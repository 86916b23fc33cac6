"""Tokens as identity signs them, and as others would like to."""

import time
from typing import Any
from uuid import UUID, uuid4

from joserfc import jwt
from joserfc.jwk import ECKey

AUDIENCE = "kit"
ISSUER = "http://identity.test"
KEY = ECKey.generate_key("P-256", {"kid": "one", "alg": "ES256", "use": "sig"}, auto_kid=False)
JWKS: dict[str, Any] = {"keys": [KEY.as_dict(private=False)]}
ALICE = UUID("00000000-0000-7000-8000-00000000000a")


def claims(**changes: Any) -> dict[str, Any]:
    """Those of a citizen's token, but for these; None leaves a claim out."""
    moment = int(time.time())
    usual = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": str(ALICE), "kind": "citizen", "name": "Nguyễn Thị An", "acr": 2,
        "auth_time": moment, "iat": moment, "exp": moment + 300, "jti": str(uuid4()),
    }  # fmt: skip
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


def officer_claims(*roles: str, **changes: Any) -> dict[str, Any]:
    return claims(kind="officer", unit="H99.02.01", roles=list(roles), **changes)


def token(body: dict[str, Any] | None = None, key: Any = KEY, **header: Any) -> str:
    usual = {"alg": "ES256", "kid": "one", "typ": "at+jwt"}
    full = {name: value for name, value in {**usual, **header}.items() if value is not None}
    return jwt.encode(full, body or claims(), key, algorithms=[full["alg"]])


def bearer(body: dict[str, Any] | None = None, **header: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(body, **header)}"}

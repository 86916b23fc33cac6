"""Tokens as identity issues them, made with a key of the tests and checked by the real verifier."""

import time
from typing import Any
from uuid import UUID

from joserfc import jwt
from joserfc.jwk import ECKey

from kit.auth import Keys, Verifier

ISSUER = "http://identity.test"
KEY = ECKey.generate_key("P-256", {"kid": "tests", "alg": "ES256", "use": "sig"}, auto_kid=False)


def verifier(audience: str) -> Verifier:
    keys = Keys(ISSUER)
    keys.use({"keys": [KEY.as_dict(private=False)]})
    return Verifier(audience, keys)


def citizen(ref: UUID, audience: str) -> dict[str, str]:
    """The header that a citizen's call carries."""
    return _header(audience, sub=str(ref), kind="citizen", name="", acr=2)


def officer(audience: str, *roles: str, unit: str = "H99.02.01", ref: UUID = UUID(int=7)) -> dict[str, str]:
    """The header that an officer's call carries."""
    return _header(audience, sub=str(ref), kind="officer", name="Hoàng Thu Hà", unit=unit, roles=list(roles))


def system(audience: str, name: str) -> dict[str, str]:
    """The header that another system's call carries."""
    return _header(audience, sub=name, kind="system")


def _header(audience: str, **of_them: Any) -> dict[str, str]:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": audience, "auth_time": now, "iat": now, "exp": now + 60, **of_them}
    return {"Authorization": f"Bearer {jwt.encode({'alg': 'ES256', 'typ': 'at+jwt', 'kid': 'tests'}, claims, KEY)}"}

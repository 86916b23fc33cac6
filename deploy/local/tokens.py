"""Access tokens as identity issues them, for whoever has the installation's own signing key: benchmarks and tests."""

import json
import time
from typing import Any
from uuid import UUID

from joserfc import jwt
from joserfc.jwk import ECKey

from deploy.local.site import Site
from kit import ids

LASTS = 3600
"""Seconds."""


def of_citizen(site: Site, audience: str, citizen: UUID) -> str:
    """A token that lets this citizen, logged in with an e-ID, call that service."""
    return _token(site, audience, citizen, kind="citizen", name="Nguyễn Thị An", acr=2)


def of_officer(site: Site, audience: str, officer: UUID, unit: str, role: str) -> str:
    """A token that lets this officer of the unit call that service, in one role."""
    return _token(site, audience, officer, kind="officer", name="Cán bộ thử nghiệm", unit=unit, roles=[role])


def _token(site: Site, audience: str, subject: UUID, **about: Any) -> str:
    found = json.loads(site.secrets.token_key.read_bytes())
    key = ECKey.import_key(found)
    now = int(time.time())
    claims = {
        "iss": site.url("identity"), "aud": audience, "sub": str(subject), "auth_time": now, "iat": now,
        "exp": now + LASTS, "jti": str(ids.new()), **about,
    }  # fmt: skip
    header = {"alg": "ES256", "typ": "at+jwt", "kid": found.get("kid") or key.thumbprint()}
    return jwt.encode(header, claims, key, algorithms=["ES256"])

"""Access tokens for one audience, signed ES256, short-lived; the keys that check them, and how these are changed."""

import hashlib
import hmac
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from kit import ids
from kit.settings import load
from services.identity.sessions.domain import SYSTEM_TOKEN_LIFE, TOKEN_LIFE, AudienceUnknown, Kind
from services.identity.settings import IdentitySettings

LOOK_AGAIN = 5.0
"""Seconds after which it is seen that the key file has changed."""


@dataclass(slots=True)
class _File:
    """The key file as it was last read."""

    path: Path
    keys: KeySet
    stamp: int
    looked_at: float


@cache
def _file(path: Path) -> _File:
    return _File(path, _read(path), path.stat().st_mtime_ns, time.monotonic())


def _keys() -> KeySet:
    """The signing keys, the current one first; a key without a `kid` is named by its RFC 7638 thumbprint."""
    file = _file(load(IdentitySettings).token_key)
    if time.monotonic() - file.looked_at > LOOK_AGAIN:
        file.looked_at, stamp = time.monotonic(), file.path.stat().st_mtime_ns
        if stamp != file.stamp:
            file.keys, file.stamp = _read(file.path), stamp
    return file.keys


def _read(path: Path) -> KeySet:
    found = json.loads(path.read_bytes())
    return KeySet([_key(data) for data in found.get("keys", [found])])


def _key(data: Mapping[str, Any]) -> ECKey:
    key = ECKey.import_key(dict(data))
    return ECKey.import_key(dict(data), {"kid": data.get("kid") or key.thumbprint(), "use": "sig", "alg": "ES256"})


def published() -> dict[str, Any]:
    """The JWK set without anything private."""
    return {"keys": [key.as_dict(private=False) for key in _keys()]}


def audiences() -> frozenset[str]:
    """The services a token may be made for."""
    return frozenset(load(IdentitySettings).clients) | {"identity"}


def issue(audience: str, subject: str, kind: str, now: datetime, **claims: Any) -> dict[str, Any]:
    """A signed token and how many seconds it lasts; refuses an audience that is no service of ours."""
    if audience not in audiences():
        raise AudienceUnknown()
    key = _keys().keys[0]
    issued, lasts = int(now.timestamp()), int(_life(kind).total_seconds())
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


def _life(kind: str) -> timedelta:
    return TOKEN_LIFE[Kind(kind)] if kind in set(Kind) else SYSTEM_TOKEN_LIFE


OUTSIDE = frozenset({"notification"})
"""The only service that talks to systems of other agencies: a token for any other could open somebody's dossier."""


def audiences_of(client_id: str) -> frozenset[str]:
    """The services this client may ask a token for."""
    return audiences() if client_id in load(IdentitySettings).clients else OUTSIDE


def client_is(client_id: str, secret: str) -> bool:
    """Whether the secret is that client's; takes the same time for a name that does not exist."""
    settings = load(IdentitySettings)
    expected = {**settings.subscribers, **settings.clients}.get(client_id, "0" * 64)
    return hmac.compare_digest(hashlib.sha256(secret.encode()).hexdigest(), expected.lower())


# ── rotation ──────────────────────────────────────────────────────────────────────────────────────


def rotated(found: Mapping[str, Any]) -> dict[str, Any]:
    """The key file's next content: the announced key signs, a new one is announced, the one that signed is still
    believed, and what is older goes.

    Whoever checks tokens knows the next key long before it signs, so nothing is refused in between; a file with one key
    only gets its first announced one.
    """
    signing, *others = found.get("keys", [found])
    return {"keys": [others[0], new_key(), signing] if others else [signing, new_key()]}


def new_key() -> dict[str, Any]:
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, private=True, auto_kid=True)
    return dict(key.as_dict(private=True))


def rotate(path: Path) -> list[str]:
    """Rotate the keys of the file, whole or not at all; the names of the keys, the signing one first."""
    following = rotated(json.loads(path.read_bytes()))
    unfinished = path.with_suffix(".unfinished")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(json.dumps(following))
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    return [str(_key(key).kid) for key in following["keys"]]


if __name__ == "__main__":
    signing, announced, *believed = rotate(load(IdentitySettings).token_key)
    sys.stdout.write(f"signs: {signing}\nannounced: {announced}\nstill believed: {', '.join(believed) or 'none'}\n")

"""Signatures of webhooks by Standard Webhooks 1.0.0: HMAC-SHA256 (`v1`) and Ed25519 (`v1a`)."""

import base64
import binascii
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.refusal import Refusal


class SigningKeyNotValid(Refusal):
    """The key is not one of Standard Webhooks: `whsec_` with 24 to 64 bytes, or `whsk_` with an Ed25519 pair."""

    status = 422
    title = "Khóa ký webhook không hợp lệ"
    title_en = "The signing key is not valid"


class Scheme(StrEnum):
    """How a webhook is signed."""

    HMAC = "hmac-sha256"
    """Both sides share a secret: simple, known everywhere."""
    ED25519 = "ed25519"
    """The subscriber has the public key only, so nothing secret lies with it."""


HMAC_BYTES = range(24, 65)
NEW_HMAC_BYTES = 32


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key of one subscription; `repr` does not show it."""

    scheme: Scheme
    raw: bytes = field(repr=False)
    """The shared secret, or the 32 bytes that an Ed25519 pair is made from."""

    @classmethod
    def new(cls, scheme: Scheme) -> Self:
        return cls(scheme, secrets.token_bytes(NEW_HMAC_BYTES))

    @classmethod
    def read(cls, text: str) -> Self:
        """The key in its written form, `whsec_…` or `whsk_…`. SigningKeyNotValid for anything else."""
        kind, _, encoded = text.partition("_")
        try:
            raw = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise SigningKeyNotValid from None
        if kind == "whsec" and len(raw) in HMAC_BYTES:
            return cls(Scheme.HMAC, raw)
        if kind == "whsk" and len(raw) == 64 and raw[32:] == _ed25519(raw[:32]).public_key().public_bytes_raw():
            return cls(Scheme.ED25519, raw[:32])
        raise SigningKeyNotValid

    @property
    def text(self) -> str:
        """The written form, as it is sealed: `whsec_…`, or `whsk_…` with the pair's private and public half."""
        if self.scheme is Scheme.HMAC:
            return "whsec_" + _b64(self.raw)
        return "whsk_" + _b64(self.raw + self._public)

    @property
    def shown(self) -> str:
        """What the subscriber needs to verify with: the shared `whsec_…`, or the public `whpk_…`."""
        return self.text if self.scheme is Scheme.HMAC else "whpk_" + _b64(self._public)

    @property
    def _public(self) -> bytes:
        return _ed25519(self.raw).public_key().public_bytes_raw()

    def sign(self, content: bytes) -> str:
        """One signature, `v1,…` or `v1a,…`."""
        return _SIGN[self.scheme](self.raw, content)


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@lru_cache(maxsize=1024)
def _ed25519(raw: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(raw)


def _sign_hmac(raw: bytes, content: bytes) -> str:
    return "v1," + _b64(hmac.digest(raw, content, "sha256"))


def _sign_ed25519(raw: bytes, content: bytes) -> str:
    return "v1a," + _b64(_ed25519(raw).sign(content))


_SIGN: dict[Scheme, Callable[[bytes, bytes], str]] = {Scheme.HMAC: _sign_hmac, Scheme.ED25519: _sign_ed25519}


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The keys of one subscription: after a rotation the one before signs too, for a while."""

    current: SigningKey
    previous: SigningKey | None = None
    previous_until: datetime | None = None

    def valid(self, at: datetime) -> tuple[SigningKey, ...]:
        if self.previous and self.previous_until and at < self.previous_until:
            return self.current, self.previous
        return (self.current,)

    def rotated(self, new: SigningKey, until: datetime) -> "SigningKeys":
        """The new key signs from now on; the one until now signs beside it up to that moment."""
        return SigningKeys(new, self.current, until)


def headers(keys: SigningKeys, message_id: str, body: bytes, at: datetime) -> dict[str, str]:
    """The three headers of a webhook that is sent now: several signatures, one for each valid key.

    `message_id` stays the same for every attempt and must hold no full stop; `at` is this attempt's time.
    """
    timestamp = str(int(at.timestamp()))
    content = b".".join((message_id.encode(), timestamp.encode(), body))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(key.sign(content) for key in keys.valid(at)),
    }

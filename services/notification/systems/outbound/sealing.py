"""Subscribers' secrets at rest: AES-256-GCM under a key of the installation, which can be rotated.

A sealed value is `1 byte: form | 1 byte: length of the key's name | key's name | 12 bytes: nonce | ciphertext and tag`.
"""

import os
import re
from dataclasses import dataclass, field
from functools import cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts.refusal import Refusal

FORM = 1
NONCE = 12
_KEY = re.compile(r"([a-z0-9-]{1,32}):([0-9a-f]{64})", re.ASCII)


class NoSealingKey(Refusal):
    """The installation has no key to close secrets with, or one that cannot be read: MOTCUA_SEALING_KEYS."""

    status = 503
    title = "Hệ thống chưa được cấu hình để gửi webhook"
    title_en = "This installation is not set up for webhooks"


class CannotOpen(Exception):
    """The value was sealed with a key that we were not given, for another purpose, or was changed."""


@dataclass(frozen=True, slots=True)
class Seal:
    """The keys of the installation by name: the first seals, every one opens."""

    keys: dict[str, bytes] = field(repr=False)

    def seal(self, plain: str, purpose: str) -> bytes:
        """`purpose` names whose and what it is; the value opens only for the same."""
        name, key = next(iter(self.keys.items()))
        nonce = os.urandom(NONCE)
        head = bytes([FORM, len(name)]) + name.encode()
        return head + nonce + AESGCM(key).encrypt(nonce, plain.encode(), head + purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> str:
        """The value in clear; CannotOpen."""
        head, name = _head(sealed)
        nonce, secret = sealed[len(head) : len(head) + NONCE], sealed[len(head) + NONCE :]
        if name not in self.keys:
            raise CannotOpen(f"sealed with key {name!r}, which MOTCUA_SEALING_KEYS does not hold")
        try:
            return AESGCM(self.keys[name]).decrypt(nonce, secret, head + purpose.encode()).decode()
        except (InvalidTag, ValueError):
            raise CannotOpen("changed, or sealed for another purpose") from None

    def is_fresh(self, sealed: bytes) -> bool:
        """Whether the key that seals today sealed it; after a rotation what is not fresh can be sealed again."""
        return _head(sealed)[1] == next(iter(self.keys))


def _head(sealed: bytes) -> tuple[bytes, str]:
    if len(sealed) < 2 or sealed[0] != FORM:
        raise CannotOpen("not a sealed value")
    head = sealed[: 2 + sealed[1]]
    return head, head[2:].decode("ascii", "replace")


@cache
def keys_of(setting: str) -> Seal:
    """Keys as MOTCUA_SEALING_KEYS gives them: `name:<64 hex digits>`, the one that seals first, separated by commas.

    NoSealingKey if there is none or one cannot be read; it does not repeat the setting.
    """
    read = [_KEY.fullmatch(part.strip()) for part in setting.split(",")]
    if not all(read):
        raise NoSealingKey("MOTCUA_SEALING_KEYS must be name:<64 hex digits>[,name:<64 hex digits>…]")
    return Seal({key[1]: bytes.fromhex(key[2]) for key in read if key})

"""Officers' passwords: Argon2id, in threads so that no other request waits, two at once at most."""

import asyncio
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_hasher = PasswordHasher()  # RFC 9106's second profile: Argon2id, 64 MiB, 3 passes
_room = asyncio.Semaphore(2)  # each hashing takes 64 MiB; logins queue here instead of in memory


@cache
def _nobody() -> str:
    return _hasher.hash("nobody has this password")


async def matches(stored: str | None, password: str) -> bool:
    """Whether the password is the stored one. Without a stored hash it takes as long, and is always False."""
    async with _room:
        return await asyncio.to_thread(_matches, stored, password)


async def hashed(password: str) -> str:
    async with _room:
        return await asyncio.to_thread(_hasher.hash, password)


def _matches(stored: str | None, password: str) -> bool:
    try:
        return _hasher.verify(stored or _nobody(), password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False

"""Passwords: Argon2id in threads of their own, two at once, which give way to whoever answers requests."""

import asyncio
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

AT_ONCE = 2
"""Each hashing takes 64 MiB and a whole core; logins queue here instead of in memory."""
POLITE = 10
"""The threads' niceness: on a busy machine a login takes longer, and other requests do not."""

# 64 MiB and 3 passes are RFC 9106's second profile, in one lane: several would take cores from those who wait.
_hasher = PasswordHasher(parallelism=1)


def _give_way() -> None:
    if sys.platform == "linux":  # the only system where a thread's own niceness can be set
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), POLITE)


_threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2", initializer=_give_way)


@cache
def _nobody() -> str:
    return _hasher.hash("nobody has this password")


async def matches(stored: str | None, password: str) -> bool:
    """Whether the password is the stored one. Without a stored hash it takes as long, and is always False."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _matches, stored, password)


async def hashed(password: str) -> str:
    return await asyncio.get_running_loop().run_in_executor(_threads, _hasher.hash, password)


def _matches(stored: str | None, password: str) -> bool:
    try:
        return _hasher.verify(stored or _nobody(), password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False

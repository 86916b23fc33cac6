"""Reading one's own writes: wait a moment until the projection has come as far as the caller knows."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import asyncpg

PATIENCE = 1.0
"""Seconds after which the answer is what is known, as old as it is."""
PAUSE = 0.015
"""Seconds between looks: about what an event needs from commit to projection."""


async def until_fresh(
    read: Callable[[], Awaitable[asyncpg.Record]], fits: Callable[[asyncpg.Record], bool], at_least: int
) -> asyncpg.Record:
    """Read until the row fits and shows version `at_least`. Without one, a single look is enough.

    A row that does not fit is waited for like one that does not exist, so waiting tells nothing.
    """
    deadline = time.monotonic() + PATIENCE
    row = await read()
    while at_least and not (fits(row) and row["version"] >= at_least) and time.monotonic() < deadline:
        await asyncio.sleep(PAUSE)
        row = await read()
    return row

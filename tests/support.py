"""What several test folders need."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

T = TypeVar("T")


async def eventually(
    condition: Callable[[], Awaitable[T]] | Callable[[], T],
    *,
    within: float = 10.0,
    every: float = 0.05,
    what: str = "",
) -> T:
    """Waits until the condition answers something true, and returns it; AssertionError after `within` seconds.

    An AssertionError in the condition counts as "not yet", and is the one that is raised at the end.
    """
    until = time.monotonic() + within
    while True:
        last: AssertionError | None = None
        try:
            answer = condition()
            found = await answer if inspect.isawaitable(answer) else answer
            if found:
                return cast(T, found)
        except AssertionError as not_yet:
            last = not_yet
        if time.monotonic() > until:
            raise last or AssertionError(f"{what or inspect.getsource(condition).strip()}: not within {within} s")
        await asyncio.sleep(every)

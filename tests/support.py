"""What several test folders need."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any


async def eventually(condition: Callable[[], Any], *, within: float = 10.0, every: float = 0.05, what: str = "") -> Any:
    """Waits until the condition (async or not) answers something true, and returns that.

    AssertionError after `within` seconds. One in the condition counts as "not yet", and is the one raised at the end.
    """
    until = time.monotonic() + within
    while True:
        last: AssertionError | None = None
        try:
            answer = condition()
            found = await answer if inspect.isawaitable(answer) else answer
            if found:
                return found
        except AssertionError as not_yet:
            last = not_yet
        if time.monotonic() > until:
            raise last or AssertionError(f"{what or inspect.getsource(condition).strip()}: not within {within} s")
        await asyncio.sleep(every)

"""Processes that the benchmarks measure from outside: the relay, and the bare parts that ours is compared with.

Each is told what to do by JSON lines and answers with JSON lines; the first answer says that it is ready.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any


def tell(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def orders() -> AsyncIterator[dict[str, Any]]:
    """What the benchmark tells us to do, one after the other."""
    reader = asyncio.StreamReader(limit=2**22)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    tell(ready=True)
    async for line in reader:
        yield json.loads(line)

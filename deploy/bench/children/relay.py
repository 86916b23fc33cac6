"""kit's relay alone, as it runs in every service. Imports nothing else, so that its memory is its own."""

import asyncio

import uvloop

from deploy.bench.children import tell
from kit.outbox import Relay
from kit.settings import Settings


async def relay() -> None:
    running = Relay(Settings())
    task = asyncio.create_task(running.run())
    while not running.leading and not task.done():  # noqa: ASYNC110 (it sets no event)
        await asyncio.sleep(0.01)
    tell(ready=True)
    await task


uvloop.run(relay())

"""A bare pipelined aiokafka producer with the relay's settings: the same bytes, and nothing in between."""

import asyncio
import time

import uvloop

from deploy.bench.children import orders, tell
from deploy.bench.rig import submissions, written
from kit import outbox
from kit.db import Database
from kit.settings import Settings


async def produce() -> None:
    settings = Settings()
    db = await Database.open(settings.database_url)
    kafka = outbox.producer(settings)
    await kafka.start()
    async for order in orders():
        records = await written(db, submissions(order["count"], order["prefix"]))
        topic = order.get("topic")
        began = time.perf_counter()
        sent = [await kafka.send(topic or name, value, key, headers=headers) for name, value, key, headers in records]
        await asyncio.gather(*sent)
        tell(seconds=time.perf_counter() - began, bytes=sum(len(value) for _, value, _, _ in records) / len(records))


uvloop.run(produce())

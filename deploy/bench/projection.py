"""(b) how fast tracking projects a backlog."""

import asyncio
import time
from signal import Signals

from deploy.bench.figures import Ratio, Repeated
from deploy.bench.rig import Child, Rig
from kit.db import Database

SEEN = "SELECT count(*) FROM dossier_view WHERE code LIKE $1 || '%'"


async def throughput(rig: Rig, *, count: int, repetitions: int) -> Ratio:
    """A backlog in Kafka until it is projected, against bare batched upserts of the same rows, by turns."""
    place = rig.stack.site.place("tracking")
    db = await Database.open(place.database_url)
    bare = await Child.start("upsert", database_url=place.database_url)
    producer = await Child.start("produce", database_url=rig.scratch.database_url, kafka=rig.infra.kafka)
    ours: list[float] = []
    theirs: list[float] = []
    await _backlog(rig, db, producer, 1000, "pw")
    await bare.ask(count=1000, prefix="uw")
    for n in range(repetitions):
        answer = await bare.ask(count=count, prefix=f"u{n}")
        theirs.append(count / answer["seconds"])
        ours.append(count / await _backlog(rig, db, producer, count, f"p{n}"))
    await bare.end()
    await producer.end()
    await db.close()
    title = "tracking: events of a backlog projected, against bare batched upserts into the same table"
    return Ratio(title, Repeated(tuple(ours)), Repeated(tuple(theirs)), "events/s", goal=0.25)


async def _backlog(rig: Rig, db: Database, producer: Child, count: int, prefix: str) -> float:
    """Seconds from waking the service, which slept while Kafka was filled, until everything is in its table."""
    rig.stack.kill("tracking", Signals.SIGSTOP)
    await producer.ask(count=count, prefix=prefix)
    began = time.perf_counter()
    rig.stack.kill("tracking", Signals.SIGCONT)
    async with asyncio.timeout(300):
        while await db.fetchval(SEEN, f"H99.02.01-{prefix}-") < count:  # noqa: ASYNC110 (counted from outside)
            await asyncio.sleep(0.05)
    return time.perf_counter() - began

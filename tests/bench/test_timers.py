"""The proof of timers in its short form: three replicas, one of them killed, and nothing fires twice, late or never."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import asyncpg
import pytest

from deploy.bench import timers
from deploy.bench.rig import Child
from deploy.local.infra import Infra
from kit.db import Database

MakeDatabase = Callable[[str], Awaitable[Database]]


@pytest.fixture
async def db(infra: Infra, make_database: MakeDatabase) -> Database:
    """A database with kit's tables, and the one in which deadlines write down when they fired."""
    db = await make_database("bench")
    admin = await asyncpg.connect(infra.postgres.rpartition("/")[0] + "/" + db.url.rpartition("/")[2])
    await admin.execute(timers.CREATE)
    await admin.execute("GRANT ALL ON fired TO PUBLIC")
    await admin.close()
    return db


@pytest.fixture
async def replicas(db: Database) -> AsyncIterator[list[Child]]:
    async with AsyncExitStack() as stack:
        running = []
        for _ in range(timers.REPLICAS):
            child = await Child.start("timers", database_url=db.url)
            stack.push_async_callback(child.end)
            running.append(child)
        yield running


async def test_each_deadline_fires_once_though_a_replica_is_killed(db: Database, replicas: list[Child]) -> None:
    await db.execute(timers.PENDING, "far-", 20_000)
    much = timers.Extent(pending=20_000, spread=600, seconds=4, together=0, idle_seconds=0)

    late, wrong = await timers.with_one_killed(db, replicas, much)

    assert wrong == 0, "fired twice, or not at all"
    assert min(late) >= 0, "a deadline never fires early"
    assert len(late) == 600
    processes = await db.fetchval("SELECT count(DISTINCT process) FROM fired")
    assert processes == timers.REPLICAS, "each had some to do, the killed one too"
    assert await db.fetchval("SELECT count(*) FROM timer") == 20_000, "what is not due waits"

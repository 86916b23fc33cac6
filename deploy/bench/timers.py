"""`bench timers`: what pending deadlines cost while nothing is due, and how late they fire when they are.

Three replicas look at one database; one of them is killed in the middle (SIGKILL). Every deadline writes down when it
fired: what fired twice, or not at all, is counted.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import asyncpg
import psutil

from deploy.bench.figures import Amount, Figures, Latency, Rates, Repeated
from deploy.bench.measuring import measured, say
from deploy.bench.report import Report
from deploy.bench.rig import Child, Rig
from kit.db import Database

REPLICAS = 3
GOAL = 2000.0
"""Milliseconds after its time at which a deadline has fired, at the latest."""

CREATE = "CREATE TABLE fired (key text NOT NULL, due_at timestamptz NOT NULL, at timestamptz NOT NULL, process int)"
GRANT = "GRANT SELECT, INSERT, DELETE, TRUNCATE ON fired TO bench_app"
PENDING = """
INSERT INTO timer (kind, key, due_at)
SELECT 'bench', $1 || n, now() + interval '30 days' + n * interval '1 s' FROM generate_series(1, $2::int) n
"""
DUE = """
INSERT INTO timer (kind, key, due_at)
SELECT 'bench', $1 || n, now() + make_interval(secs => $3 + $4 * n / $2) FROM generate_series(1, $2::int) n
"""
COUNT = "SELECT count(*), count(DISTINCT key) FROM fired WHERE key LIKE $1 || '%'"
LATE = """
SELECT extract(epoch FROM at - due_at)::float8 * 1000 AS ms, process FROM fired WHERE key LIKE $1 || '%' ORDER BY at
"""
BEGAN_ENDED = "SELECT extract(epoch FROM max(at) - min(at))::float8 FROM fired WHERE key LIKE $1 || '%'"
BACKENDS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@dataclass(frozen=True)
class Extent:
    """How much is done."""

    pending: int
    spread: int
    """Deadlines that come due one after the other…"""
    seconds: float
    """…within so long."""
    together: int
    """Deadlines that are due in the same moment, as at close of business."""
    idle_seconds: float


FULL = Extent(pending=100_000, spread=12_000, seconds=60, together=2_000, idle_seconds=20)
QUICK = Extent(pending=10_000, spread=500, seconds=5, together=200, idle_seconds=3)


def measure(*, quick: bool = False) -> Report:
    return measured("timers", lambda rig: _figures(rig, QUICK if quick else FULL))


async def _figures(rig: Rig, much: Extent) -> Figures:
    owner = await asyncpg.connect(rig.scratch.migration_url)
    await owner.execute(CREATE)
    await owner.execute(GRANT)
    await owner.close()
    db = await Database.open(rig.scratch.database_url)
    try:
        async with replicas(rig) as running:
            return await _compare(db, running, much)
    finally:
        await db.close()


@asynccontextmanager
async def replicas(rig: Rig) -> AsyncIterator[list[Child]]:
    """Three processes that do nothing but timers."""
    async with AsyncExitStack() as stack:
        running = []
        for _ in range(REPLICAS):
            child = await Child.start("timers", database_url=rig.scratch.database_url)
            stack.push_async_callback(child.end)
            running.append(child)
        yield running


async def _compare(db: Database, running: list[Child], much: Extent) -> Figures:
    say("timers", "idle, nothing pending")
    empty = await idle(db, running, much.idle_seconds)
    say("timers", f"idle, {much.pending:,} pending")
    await db.execute(PENDING, "far-", much.pending)
    full = await idle(db, running, much.idle_seconds)
    say("timers", "one after the other, one replica killed")
    spread, wrong = await with_one_killed(db, running, much)
    say("timers", "all at once")
    together = await fire(db, "together-", much.together, 0)
    took = await db.fetchval(BEGAN_ENDED, "together-")
    amounts = [
        Amount(f"idle, nothing pending: CPU of {REPLICAS} replicas", empty[0], "% of a core"),
        Amount(f"idle, {much.pending:,} pending: CPU of {REPLICAS} replicas", full[0], "% of a core"),
        Amount("idle, nothing pending: CPU of PostgreSQL for them", empty[1], "% of a core"),
        Amount(f"idle, {much.pending:,} pending: CPU of PostgreSQL for them", full[1], "% of a core"),
        Amount("fired twice, or not at all", wrong, "deadlines"),
    ]
    rate = Rates("fired when all are due at once, two replicas", Repeated((much.together / took,)), "deadlines/s")
    title = f"due → fired, {much.pending:,} others pending"
    return Figures(
        latencies=[
            Latency(title, f"{much.spread / much.seconds:,.0f} a second, one of three replicas killed", spread, GOAL),
            Latency(title, f"{much.together:,} in the same moment, two replicas", together, GOAL),
        ],
        rates=[rate],
        amounts=amounts,
    )


async def idle(db: Database, running: Sequence[Child], seconds: float) -> tuple[float, float]:
    """CPU of the replicas, and of PostgreSQL's processes for them, in % of a core, while nothing is due."""
    await asyncio.sleep(2)
    backends = [psutil.Process(row["pid"]) for row in await db.fetch(BACKENDS)]
    ours, theirs, began = _cpu(running), _spent(backends), time.monotonic()
    await asyncio.sleep(seconds)
    took = time.monotonic() - began
    return (_cpu(running) - ours) / took * 100, (_spent(backends) - theirs) / took * 100


def _cpu(running: Sequence[Child]) -> float:
    return sum(child.cpu_seconds() for child in running)


def _spent(processes: Sequence[psutil.Process]) -> float:
    return sum(times.user + times.system for times in (each.cpu_times() for each in processes if each.is_running()))


async def with_one_killed(db: Database, running: list[Child], much: Extent) -> tuple[tuple[float, ...], int]:
    """How late each fired, in ms, and how many did not fire exactly once."""
    firing = asyncio.create_task(fire(db, "spread-", much.spread, much.seconds))
    await asyncio.sleep(2 + much.seconds / 2)
    running.pop().kill()
    late = await firing
    count, different = await db.fetchrow(COUNT, "spread-") or (0, 0)
    return late, abs(count - different) + abs(much.spread - different)


async def fire(db: Database, prefix: str, count: int, seconds: float) -> tuple[float, ...]:
    """So many deadlines within so long, from two seconds from now on: by how many ms each fired after its time."""
    await db.execute(DUE, prefix, count, 2.0, seconds)
    async with asyncio.timeout(seconds + 120):
        while (await db.fetchrow(COUNT, prefix) or (0, 0))[1] < count:  # noqa: ASYNC110 (other processes do it)
            await asyncio.sleep(0.5)
    await asyncio.sleep(1)  # what fires twice does so now
    return tuple(row["ms"] for row in await db.fetch(LATE, prefix))

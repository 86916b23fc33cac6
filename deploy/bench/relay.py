"""(a) how fast the relay empties a full outbox, and (d) how long a single event is on its way."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from contracts.dossier import DossierSubmitted
from deploy.bench.figures import Amount, Latency, Ratio, Repeated
from deploy.bench.rig import RELAYED, Child, Rig, submissions
from kit import outbox
from kit.db import Database, prepare_connection

WRITERS = 16
Writers = asyncio.Queue["asyncpg.Connection[asyncpg.Record]"]
"""Connections that nobody uses just now."""

DRAINED = "SELECT NOT EXISTS (SELECT FROM outbox WHERE published_at IS NULL)"
LAST = "SELECT max(published_at) FROM outbox WHERE created_at >= $1"
CLOCK = "SELECT clock_timestamp()"


@asynccontextmanager
async def one_relay(rig: Rig) -> AsyncIterator[Child]:
    relay = await Child.start("relay", database_url=rig.scratch.database_url, kafka=rig.infra.kafka)
    try:
        yield relay
    finally:
        await relay.end()


async def throughput(rig: Rig, *, count: int, repetitions: int) -> tuple[Ratio, list[Amount]]:
    """A full outbox against the same records in the hands of a bare producer, by turns."""
    db = await Database.open(rig.scratch.database_url)
    bare = await Child.start("produce", database_url=rig.scratch.database_url, kafka=rig.infra.kafka)
    ours: list[float] = []
    theirs: list[float] = []
    async with one_relay(rig) as relay:
        await _warm_up(db, bare)
        for n in range(repetitions):
            answer = await bare.ask(count=count, prefix=f"b{n}", topic=RELAYED.name)
            theirs.append(count / answer["seconds"])
            ours.append(count / await _drain(db, submissions(count, f"r{n}")))
        amounts = [
            Amount("relay process, most memory ever held", relay.peak_megabytes, "MB"),
            Amount("relay process, CPU while idle", await _idle(relay), "% of a core"),
            Amount("body of an event", answer["bytes"], "bytes"),
        ]
    await bare.end()
    await db.close()
    title = "relay: events carried from a full outbox to Kafka, against a bare pipelined producer"
    return Ratio(title, Repeated(tuple(ours)), Repeated(tuple(theirs)), "events/s", goal=0.6), amounts


async def _warm_up(db: Database, bare: Child) -> None:
    await bare.ask(count=2000, prefix="warm", topic=RELAYED.name)
    await _drain(db, submissions(2000, "warm"))


async def _drain(db: Database, events: list[DossierSubmitted]) -> float:
    """Seconds from the commit of all these events until the last is marked as acknowledged by Kafka."""
    async with db.transaction() as tx:
        began: datetime = await tx.fetchval("SELECT now()")
        for n in range(0, len(events), 1000):
            await outbox.record(tx, RELAYED, *events[n : n + 1000])
    committed: datetime = await db.fetchval(CLOCK)
    async with asyncio.timeout(300):
        while not await db.fetchval(DRAINED):  # noqa: ASYNC110 (another process does it)
            await asyncio.sleep(0.1)
    ended: datetime = await db.fetchval(LAST, began)
    return (ended - committed).total_seconds()


async def _idle(relay: Child, seconds: float = 10) -> float:
    await asyncio.sleep(3)  # it looks around for a while before it sleeps
    before, began = relay.cpu_seconds(), time.monotonic()
    await asyncio.sleep(seconds)
    return (relay.cpu_seconds() - before) / (time.monotonic() - began) * 100


class Arrivals:
    """When each event was committed and when a consumer had it."""

    def __init__(self, bootstrap: str) -> None:
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="latest")
        self.committed: dict[str, float] = {}
        self.arrived: dict[str, float] = {}

    async def start(self) -> None:
        await self._consumer.start()
        partitions = [TopicPartition(RELAYED.name, n) for n in range(RELAYED.partitions)]
        self._consumer.assign(partitions)
        await self._consumer.seek_to_end(*partitions)

    async def listen(self) -> None:
        async for record in self._consumer:
            self.arrived.setdefault(record.key.decode(), time.perf_counter())

    async def stop(self) -> None:
        await self._consumer.stop()

    async def milliseconds(self) -> list[float]:
        """Of every event, when all have arrived."""
        async with asyncio.timeout(60):
            while not self.committed.keys() <= self.arrived.keys():  # noqa: ASYNC110 (counted from outside)
                await asyncio.sleep(0.05)
        return [(self.arrived[key] - at) * 1000 for key, at in self.committed.items()]


async def latency(rig: Rig, *, rates: dict[int, float], repetitions: int) -> list[Latency]:
    """From sending COMMIT to the record in a consumer's hands. `rates`: events/s → seconds of one repetition."""
    measured: dict[int, list[float]] = {rate: [] for rate in rates}
    async with one_relay(rig), _writers(rig) as writers:
        for n in range(repetitions):
            for rate, seconds in rates.items():
                events = submissions(round(rate * seconds), f"l{n}r{rate}")
                measured[rate] += await _on_their_way(rig, writers, events, rate)
    title = "commit → consumer"
    return [Latency(title, f"{rate:,} events/s", tuple(values)) for rate, values in measured.items()]


@asynccontextmanager
async def _writers(rig: Rig) -> AsyncIterator[Writers]:
    """Connections that commit; not a pool, whose tidying up would cost more than the commit."""
    connections = [await asyncpg.connect(rig.scratch.database_url) for _ in range(WRITERS)]
    free: Writers = asyncio.Queue()
    for connection in connections:
        await prepare_connection(connection)
        free.put_nowait(connection)
    yield free
    for connection in connections:
        await connection.close()


async def _on_their_way(rig: Rig, writers: Writers, events: list[DossierSubmitted], rate: int) -> list[float]:
    arrivals = Arrivals(rig.infra.kafka)
    await arrivals.start()
    listening = asyncio.create_task(arrivals.listen())
    try:
        async with asyncio.TaskGroup() as group:
            began = time.perf_counter()
            for n, event in enumerate(events):
                await asyncio.sleep(max(0.0, began + n / rate - time.perf_counter()))
                group.create_task(_commit(writers, event, arrivals.committed))
        return await arrivals.milliseconds()
    finally:
        listening.cancel()
        await arrivals.stop()


async def _commit(writers: Writers, event: DossierSubmitted, committed: dict[str, float]) -> None:
    connection = await writers.get()
    async with connection.transaction():
        await outbox.record(connection, RELAYED, event)
        committed[event.dossier_code] = time.perf_counter()
    writers.put_nowait(connection)

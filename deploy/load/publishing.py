"""Putting lives on Kafka: whole batches, a process for each core, nothing kept in memory."""

import asyncio
import multiprocessing
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.partitioner import DefaultPartitioner

from contracts.dossier import DOSSIERS
from deploy.load.lives import Plan, records
from deploy.load.records import Written
from kit import outbox
from kit.settings import Settings

BATCH = 256 * 1024
"""Bytes before compression."""
IN_FLIGHT = 24
"""Batches that Kafka has not acknowledged yet."""
STEP = 200
"""Events between two looks at the clock."""
OURS = re.compile(rb".*-9\d{7}")


class ForeignData(Exception):
    """The topics hold events that were not generated: a real installation."""


class Sender:
    """A producer that is fed whole batches. One aggregate's events are on one partition, in order."""

    def __init__(self, kafka: AIOKafkaProducer) -> None:
        self._kafka = kafka
        self._open: dict[TopicPartition, Any] = {}
        self._sent: list[asyncio.Future[Any]] = []
        self._partitions: dict[str, tuple[int, ...]] = {}

    async def send(self, told: Written) -> None:
        if told.topic not in self._partitions:
            self._partitions[told.topic] = tuple(sorted(await self._kafka.partitions_for(told.topic)))
        place = TopicPartition(told.topic, partition_of(told.key, self._partitions[told.topic]))
        batch = self._open.get(place)
        fields: dict[str, Any] = {"timestamp": None, "key": told.key, "value": told.value, "headers": told.headers}
        if batch is None or batch.append(**fields) is None:
            if batch is not None:
                await self._close(place)
            batch = self._open[place] = self._kafka.create_batch()
            batch.append(**fields)

    async def _close(self, place: TopicPartition) -> None:
        batch = self._open.pop(place)
        batch.close()
        self._sent.append(await self._kafka.send_batch(batch, place.topic, partition=place.partition))
        if len(self._sent) > IN_FLIGHT:
            await self._sent.pop(0)

    async def flush(self) -> None:
        """Returns when Kafka has everything."""
        for place in list(self._open):
            await self._close(place)
        for sent in self._sent:
            await sent
        self._sent.clear()


_partitioner = DefaultPartitioner()


@lru_cache(65536)
def partition_of(key: bytes, partitions: tuple[int, ...]) -> int:
    """Where the relay would put it too."""
    found: int = _partitioner(key, list(partitions), list(partitions))
    return found


@asynccontextmanager
async def sender(settings: Settings) -> Any:
    kafka = AIOKafkaProducer(
        bootstrap_servers=settings.kafka, acks="all", enable_idempotence=True, max_batch_size=BATCH,
        max_request_size=2 * BATCH, compression_type="zstd", **outbox.security(settings),
    )  # fmt: skip
    await kafka.start()
    try:
        yield Sender(kafka)
    finally:
        await kafka.stop()


async def publish(
    settings: Settings, told: Iterable[Written], *, per_second: float = 0, progress: Callable[[int], None] | None = None
) -> int:
    """Put these on Kafka, as fast as it goes or so many a second; how many there were."""
    count = 0
    async with sender(settings) as out:
        began = time.monotonic()
        for some in _steps(told, max(1, min(STEP, int(per_second / 20))) if per_second else STEP):
            for one in some:
                await out.send(one)
            count += len(some)
            if progress:
                progress(count)
            if per_second:
                await out.flush()
                await asyncio.sleep(max(0, began + count / per_second - time.monotonic()))
        await out.flush()
    return count


def _steps(told: Iterable[Written], size: int) -> Iterator[list[Written]]:
    some: list[Written] = []
    for one in told:
        some.append(one)
        if len(some) == size:
            yield some
            some = []
    if some:
        yield some


# ── a process for each core ──


def generate(
    settings: Settings, plan: Plan, *, processes: int, per_second: float = 0, watch: Callable[[int], None]
) -> int:
    """Publish all of the plan; `watch` is told every half a second how many events are on their way."""
    context = multiprocessing.get_context("spawn")
    counts = context.Array("q", processes, lock=False)
    shares = [
        context.Process(target=_share, args=(settings, plan, n, processes, per_second / processes, counts), daemon=True)
        for n in range(processes)
    ]
    for share in shares:
        share.start()
    while any(share.is_alive() for share in shares):
        shares[0].join(0.5)
        for share in shares:
            share.join(0 if shares[0].is_alive() else 0.5)
        watch(sum(counts))
    if failed := [share.exitcode for share in shares if share.exitcode]:
        raise RuntimeError(f"{len(failed)} of {processes} processes failed: what they said stands above")
    return sum(counts)


def _share(settings: Settings, plan: Plan, n: int, of: int, per_second: float, counts: Any) -> None:
    def progress(count: int) -> None:
        counts[n] = count

    asyncio.run(publish(settings, records(plan, n, of), per_second=per_second, progress=progress))


# ── is it ours to fill? ──


async def refuse_foreign(settings: Settings, topic: str = DOSSIERS.name) -> None:
    """Looks at the oldest and the newest event of each partition of dossiers; raises if one was not generated."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka, group_id="motcua.load", enable_auto_commit=False, **outbox.security(settings)
    )  # a group in name only: nothing is committed
    await consumer.start()
    try:
        await consumer._client.add_topic(topic)
        partitions = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(partitions)
        first, last = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        for place in partitions:
            for offset in {first[place], last[place] - 1} if last[place] > first[place] else ():
                consumer.seek(place, offset)
                record = await asyncio.wait_for(consumer.getone(place), 10)
                if record.key is None or not OURS.fullmatch(record.key):
                    raise ForeignData
    finally:
        await consumer.stop()

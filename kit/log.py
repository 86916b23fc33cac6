"""Reading what stands on Kafka from any place to its present end, as nobody's group: no offset is committed."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from kit import outbox
from kit.settings import Settings

Places = dict[tuple[str, int], int]
"""Topic and partition → the offset to be read next."""
Share = tuple[int, int]
"""The partitions of a share, and how many shares there are: (1, 3) is the second, the fifth … of each topic."""


class Log:
    """The topics that were asked for, and how far they were read."""

    def __init__(self, consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> None:
        self._consumer, self._partitions = consumer, partitions

    async def first(self) -> Places:
        """The oldest there is. Above 0, retention has taken what was before."""
        return _plain(await self._consumer.beginning_offsets(self._partitions))

    async def ends(self) -> Places:
        """The present end."""
        return _plain(await self._consumer.end_offsets(self._partitions))

    async def committed(self) -> Places:
        """How far the group, whose name was given, says that it has come; 0 where it says nothing."""
        return {(p.topic, p.partition): await self._consumer.committed(p) or 0 for p in self._partitions}

    def seek(self, places: Mapping[tuple[str, int], int]) -> None:
        for (topic, partition), offset in places.items():
            self._consumer.seek(TopicPartition(topic, partition), offset)

    async def read(self, ends: Mapping[tuple[str, int], int], size: int) -> AsyncIterator[list[Any]]:
        """Records from where we are to these ends (and whatever came meanwhile), so many at a time."""
        while [True for p in self._partitions if await self._consumer.position(p) < ends[p.topic, p.partition]]:
            found = await self._consumer.getmany(*self._partitions, timeout_ms=200, max_records=size)
            if records := [record for some in found.values() for record in some]:
                yield records


def _plain(offsets: Mapping[TopicPartition, int]) -> Places:
    return {(partition.topic, partition.partition): offset for partition, offset in offsets.items()}


def after(records: Iterable[Any]) -> Places:
    """Where to go on after these."""
    return {(record.topic, record.partition): record.offset + 1 for record in records}


@asynccontextmanager
async def opened(settings: Settings, group: str, topics: Iterable[str], share: Share = (0, 1)) -> AsyncIterator[Log]:
    """These topics at their beginning. Of `group` only the commits can be seen; it gets no member."""
    consumer = reader(settings, group, isolation_level="read_committed", max_partition_fetch_bytes=2 << 20)
    await consumer.start()
    try:
        found = [TopicPartition(t, p) for t in topics for p in (await partitions_of(consumer, t))[share[0] :: share[1]]]
        consumer.assign(found)
        yield Log(consumer, found)
    finally:
        await consumer.stop()


def reader(settings: Settings, group: str, **more: Any) -> AIOKafkaConsumer:
    """A consumer that commits only what it is told to."""
    return AIOKafkaConsumer(
        bootstrap_servers=settings.kafka, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest",
        **outbox.security(settings), **more,
    )  # fmt: skip


async def partitions_of(consumer: AIOKafkaConsumer, topic: str) -> list[int]:
    await consumer._client.add_topic(topic)
    return sorted(consumer.partitions_for_topic(topic) or [])

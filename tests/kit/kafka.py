"""What stands on a topic, and putting things there that no relay would."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

Raw = tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]
"""Key, value, headers."""


class Kafka:
    """The broker as an observer sees it, without a group."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._reader = AIOKafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest")
        self._writer = AIOKafkaProducer(bootstrap_servers=address, acks="all")
        self._admin = AIOKafkaAdminClient(bootstrap_servers=address)

    async def __aenter__(self) -> "Kafka":
        for part in (self._reader, self._writer, self._admin):
            await part.start()
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self._reader.stop()
        await self._writer.stop()
        await self._admin.close()

    async def create(self, topic: str, partitions: int = 3, **settings: str) -> None:
        configs = {name.replace("_", "."): value for name, value in settings.items()}
        await self._admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs)])

    async def set(self, topic: str, **settings: str) -> None:
        configs = {name.replace("_", "."): value for name, value in settings.items()}
        await self._admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs)])

    async def put(self, topic: str, *records: Raw, partition: int | None = None) -> None:
        for key, value, headers in records:
            await self._writer.send_and_wait(topic, value, key, headers=headers, partition=partition)

    async def everything_on(self, topic: str) -> list[Any]:
        """All records that are there now, partition by partition."""
        partitions = [TopicPartition(topic, number) for number in sorted(await self._writer.partitions_for(topic))]
        self._reader.assign(partitions)
        ends = await self._reader.end_offsets(partitions)
        found: dict[TopicPartition, list[Any]] = defaultdict(list)
        await self._reader.seek_to_beginning()
        while any([await self._reader.position(partition) < ends[partition] for partition in partitions]):
            for partition, records in (await self._reader.getmany(timeout_ms=200)).items():
                found[partition] += records
        return [record for partition in partitions for record in found[partition]]

    async def rewind(self, group: str, topic: str) -> None:
        """Let the (empty) group read the topic from its beginning, as if it had never committed."""
        partitions = [TopicPartition(topic, number) for number in await self._writer.partitions_for(topic)]
        member = AIOKafkaConsumer(bootstrap_servers=self.address, group_id=group, enable_auto_commit=False)
        member.assign(partitions)
        await member.start()
        await member.commit(dict.fromkeys(partitions, 0))
        await member.stop()

    async def committed(self, group: str, topic: str) -> dict[int, int]:
        """How far the group has come, by partition."""
        offsets = await self._admin.list_consumer_group_offsets(group)
        return {place.partition: at.offset for place, at in offsets.items() if place.topic == topic}


def histories(records: Iterable[Any]) -> dict[str, list[int]]:
    """The versions of each aggregate in the order in which they stand on the topic."""
    found: dict[str, list[int]] = defaultdict(list)
    for record in records:
        found[record.key.decode()].append(int(dict(record.headers)["ce_aggregateversion"]))
    return found


def first_heard(versions: Iterable[int]) -> list[int]:
    """Without the repetitions."""
    return list(dict.fromkeys(versions))

"""The servers that every other test stands on."""

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from contracts.registry import CHANNELS
from deploy.local.infra import Infra
from deploy.local.topics import hearers
from tests.conftest import MakeDatabase


async def test_every_channel_is_a_topic_with_its_partitions_and_a_place_for_dead_letters(infra: Infra) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=infra.kafka)
    await admin.start()
    try:
        found = {one["topic"]: len(one["partitions"]) for one in await admin.describe_topics()}
    finally:
        await admin.close()

    for channel in CHANNELS:
        assert found[channel.name] == channel.partitions
        for group in hearers():
            assert found[f"{group}.{channel.name}.dlq"] == 1


async def test_two_databases_of_a_service_do_not_see_each_other(make_database: MakeDatabase) -> None:
    one, other = await make_database("payment"), await make_database("payment")

    await one.execute("INSERT INTO outbox_quarantine (channel, key, id, reason) VALUES ('c', 'k', 1, 'r')")

    assert await one.fetchval("SELECT count(*) FROM outbox_quarantine") == 1
    assert await other.fetchval("SELECT count(*) FROM outbox_quarantine") == 0


async def test_a_service_may_not_change_its_schema(make_database: MakeDatabase) -> None:
    database = await make_database("payment")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await database.execute("CREATE TABLE sneaked_in (id int)")


async def test_a_service_may_not_enter_another_ones_database(infra: Infra, make_database: MakeDatabase) -> None:
    payment, identity = await make_database("payment"), await make_database("identity")

    url = payment.url.rsplit("/", 1)[0] + "/" + identity.url.rsplit("/", 1)[1]

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(url)


async def test_files_go_into_the_bucket_and_come_back(infra: Infra) -> None:
    client = infra.s3.client()

    client.fput_object(infra.s3.bucket, "hồ sơ/thử.txt", __file__)

    assert client.stat_object(infra.s3.bucket, "hồ sơ/thử.txt").size

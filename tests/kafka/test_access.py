"""Rights, passwords and quotas on a real broker: what was given works, and everything else is refused."""

import asyncio
import ssl
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from contracts.envelope import Event
from deploy.kafka.cluster import Difference
from deploy.kafka.rights import Principal, principals
from deploy.kafka.subscribers import Subscriber
from deploy.local.infra import Secured
from kit import outbox
from kit.db import Connection
from kit.inbox import Inbox
from kit.ops import replay_topic
from kit.outbox import Relay
from kit.settings import Settings
from kit.worker import Worker, dead_letter_topic
from tests.conftest import MakeDatabase
from tests.kafka.conftest import RATE, OnCluster, Province, Reader, admit, in_line
from tests.kit.conftest import running
from tests.kit.kafka import Kafka
from tests.kit.parcels import heard, moved, sent
from tests.support import eventually


async def put(kafka: Kafka, province: Province, *events: Event) -> None:
    """As the owner's relay publishes them."""
    for record in (heard(province.public, event, ce_source=f"/services/{province.post}") for event in events):
        await kafka.put(province.public.name, (record.key, record.value, record.headers))


async def first(opening: Awaitable[AIOKafkaConsumer]) -> Any:
    """The first record that a consumer gets, once it is there."""
    consumer = await opening
    return await asyncio.wait_for(consumer.getone(), 20)


# ── systems outside ──


async def test_a_system_outside_reads_a_public_channel_with_its_own_group(
    province: Province, kafka: Kafka, reader: Reader
) -> None:
    await put(kafka, province, sent("A1"), moved("A1", 2))
    consumer = await reader(province.police, province.public.name, group=f"{province.police}.archive")

    one, two = [await asyncio.wait_for(consumer.getone(), 20) for _ in range(2)]
    await consumer.commit()

    assert [dict(record.headers)["ce_aggregateversion"] for record in (one, two)] == [b"1", b"2"]
    assert one.key == b"A1"


async def test_a_system_outside_may_not_read_an_internal_channel(province: Province, reader: Reader) -> None:
    with pytest.raises(TopicAuthorizationFailedError):
        await first(reader(province.police, province.internal.name, group=f"{province.police}.archive"))


async def test_a_system_outside_may_not_read_what_is_published_again_for_another(
    province: Province, reader: Reader
) -> None:
    with pytest.raises(TopicAuthorizationFailedError):
        await first(reader(province.court, replay_topic(province.police), group=f"{province.court}.archive"))


@pytest.mark.parametrize("group", ["depot", "court.", "police"])
async def test_a_system_outside_may_not_join_the_group_of_another(
    province: Province, reader: Reader, group: str
) -> None:
    other = {"depot": province.depot, "court.": f"{province.court}.archive", "police": province.police}[group]
    with pytest.raises(GroupAuthorizationFailedError):
        await first(reader(province.police, province.public.name, group=other))


async def test_a_system_outside_may_not_write(secured: Secured, province: Province, kafka: Kafka) -> None:
    before = len(await kafka.everything_on(province.public.name))
    settings = province.login(secured, province.police)
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, **outbox.security(settings))
    await producer.start()
    for topic in (province.public.name, replay_topic(province.police)):
        with pytest.raises(TopicAuthorizationFailedError):
            await producer.send_and_wait(topic, b"forged", b"A1")
    await producer.stop()
    assert len(await kafka.everything_on(province.public.name)) == before


async def test_a_system_outside_may_not_make_topics_nor_see_those_of_others(
    secured: Secured, province: Province, kafka: Kafka
) -> None:
    settings = province.login(secured, province.police)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka, **outbox.security(settings))
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic(f"{province.police}.mine", 1, 1)])
        seen = set(await admin.list_topics())
    finally:
        await admin.close()
    (refused,) = answer.topic_errors
    assert refused[1] == TopicAuthorizationFailedError.errno
    assert seen == {province.public.name, province.news.name, replay_topic(province.police)}


async def gets_in(secured: Secured, login: dict[str, Any]) -> bool:
    client = AIOKafkaAdminClient(bootstrap_servers=secured.kafka, request_timeout_ms=5000, **login)
    try:
        await client.start()
    except (KafkaError, asyncio.IncompleteReadError):
        return False
    finally:
        await client.close()
    return True


async def test_nobody_comes_in_with_a_wrong_password_or_without_one(
    secured: Secured, province: Province, kafka: Kafka
) -> None:
    right = outbox.security(province.login(secured, province.police))
    assert await gets_in(secured, right)
    for wrong in (
        {**right, "sasl_plain_password": "guessed"},
        {**right, "sasl_plain_username": "admin"},
        {"security_protocol": "SSL", "ssl_context": right["ssl_context"]},
        {**right, "security_protocol": "SASL_PLAINTEXT", "ssl_context": None},
        {**right, "ssl_context": ssl.create_default_context()},  # does not know who vouches for the broker
    ):
        assert not await gets_in(secured, wrong)


async def test_a_new_password_ends_the_old_one(secured: Secured, province: Province, on_cluster: OnCluster) -> None:
    someone = Principal(f"tax-{uuid4().hex[:8]}", frozenset())
    await admit(on_cluster, someone)
    old = outbox.security(province.login(secured, someone.name))
    await eventually(lambda: gets_in(secured, old))

    await on_cluster(lambda cluster: cluster.set_password(someone.name, "new"))

    await eventually(lambda: gets_in(secured, {**old, "sasl_plain_password": "new"}))
    assert not await gets_in(secured, old)


async def test_who_reads_too_fast_is_made_to_wait(
    secured: Secured, province: Province, kafka: Kafka, on_cluster: OnCluster
) -> None:
    slow = Subscriber(f"slow-{uuid4().hex[:8]}", 20_000)
    await admit(on_cluster, *principals([province.public], {}, [slow]))
    await put(kafka, province, *(sent(f"heavy-{n}" + "." * 2000) for n in range(100)))

    waited = await asyncio.to_thread(_longest_wait, province.login(secured, slow.name), province.public.name)

    assert waited > 0, "the broker asked nobody to wait"


def _longest_wait(settings: Settings, topic: str) -> float:
    """Milliseconds that the broker told this reader to pause, at most; kafka-python counts them."""
    consumer = KafkaConsumer(
        bootstrap_servers=settings.kafka, **outbox.security(settings), max_partition_fetch_bytes=60_000
    )
    try:
        consumer.assign([TopicPartition(topic, number) for number in range(3)])
        consumer.seek_to_beginning()
        for _ in range(20):
            consumer.poll(timeout_ms=500)
            waited = max(float(group.get("throttle-time-max", 0)) for group in consumer.metrics().values())
            if waited > 0:
                return waited
        return 0
    finally:
        consumer.close(autocommit=False)


# ── services ──


async def test_services_with_their_own_principals_speak_hear_bury_and_dig_up(
    secured: Secured, province: Province, kafka: Kafka, reader: Reader, make_database: MakeDatabase
) -> None:
    sender, hearer = await make_database("kit"), await make_database("kit")
    async with sender.transaction() as tx:
        await outbox.record(tx, province.public, sent("S1"), moved("S1", 2))
    came: list[str] = []
    inbox = Inbox(province.depot)

    @inbox.hears(province.public)
    async def on_parcel(tx: Connection, event: Any) -> None:
        came.append(f"{event.parcel} {event.version}")

    worker = Worker(province.login(secured, province.depot), inbox, hearer)
    await worker.start()
    try:
        async with running(Relay(province.login(secured, province.post, database_url=sender.url)).run()):
            await kafka.put(province.public.name, (b"S2", b"poison", []))
            await eventually(lambda: {"S1 1", "S1 2"} <= set(came), within=30)
            dead = dead_letter_topic(province.depot, province.public.name)
            await eventually(lambda: kafka.everything_on(dead), within=20)
    finally:
        await worker.stop()
    digging = reader(province.depot, dead, group=f"{province.depot}.redrive")
    assert (await first(digging)).value == b"poison"


async def test_a_service_may_not_speak_in_the_name_of_another(
    secured: Secured, province: Province, kafka: Kafka
) -> None:
    producer = await outbox.start_producer(province.login(secured, province.depot))
    with pytest.raises(TopicAuthorizationFailedError):
        await producer.send_and_wait(province.public.name, b"forged", b"A1")
    await outbox.discard(producer)


# ── bringing a cluster into line ──


async def test_what_is_given_twice_changes_nothing(province: Province, on_cluster: OnCluster) -> None:
    wanted = principals([province.public], {}, [Subscriber(f"tax-{uuid4().hex[:8]}", RATE)])
    before = await on_cluster(lambda cluster: cluster.compare(wanted))
    assert (len(before.missing), len(before.changed)) == (3, 2)
    await on_cluster(lambda cluster: cluster.give(before))
    await in_line(on_cluster, *wanted)

    await on_cluster(lambda cluster: cluster.give(before))

    after = await in_line(on_cluster, *wanted)
    assert [acl for acl in after.extra if acl.principal == f"User:{wanted[0].name}"] == []


async def test_what_the_registry_no_longer_says_is_named_and_goes_only_when_asked(
    province: Province, on_cluster: OnCluster
) -> None:
    channel = replace(province.public, name=f"test{uuid4().hex[:8]}.parcels.v1")  # nobody else has rights on it
    stay, leave = (Subscriber(f"{name}-{uuid4().hex[:8]}", RATE) for name in ("stay", "leave"))
    both, one = (principals([channel], {}, outside) for outside in ([stay, leave], [stay]))

    sneaked = ResourcePattern(ResourceType.TOPIC, channel.name)
    write = ACL(f"User:{stay.name}", "*", ACLOperation.WRITE, ACLPermissionType.ALLOW, sneaked)
    await on_cluster(lambda cluster: cluster._client.create_acls([write]))
    await admit(on_cluster, *both)

    found = await in_line(on_cluster, *one)
    assert len(found.extra) == 4, "two topics and the groups of who left, and what was sneaked in"
    assert found.gone == [leave.name]
    await on_cluster(lambda cluster: cluster.give(found))
    assert leave.name in await on_cluster(lambda cluster: cluster.who_can_log_in())

    await on_cluster(lambda cluster: cluster.take(found))

    async def nothing_is_left() -> bool:
        difference: Difference = await on_cluster(lambda cluster: cluster.compare(one))
        return difference.nothing and leave.name not in await on_cluster(lambda cluster: cluster.who_can_log_in())

    await eventually(nothing_is_left)

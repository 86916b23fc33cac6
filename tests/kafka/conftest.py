"""A province of the tests' own on a secured Kafka: two services, two systems outside, and what each may do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, cast
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError

from contracts.envelope import Audience, Channel
from deploy.kafka.cluster import Cluster, Difference, connected
from deploy.kafka.rights import Principal, principals
from deploy.kafka.subscribers import Subscriber
from deploy.local import infra as infrastructure
from deploy.local.infra import Infra, Secured
from kit import outbox
from kit.ops import replay_topic
from kit.settings import Settings
from kit.worker import dead_letter_topic
from tests.kit import parcels
from tests.kit.kafka import Kafka
from tests.support import eventually

RATE = 50_000_000


@dataclass(frozen=True)
class Province:
    public: Channel
    news: Channel
    """Another public one, on which all is well."""
    internal: Channel
    post: str
    """Owns all channels."""
    depot: str
    """Hears the public one."""
    police: str
    """A system outside."""
    court: str
    """Another one."""
    principals: list[Principal]

    def login(self, secured: Secured, name: str, **more: Any) -> Settings:
        """How this principal reaches the secured listener."""
        told: dict[str, Any] = {
            "kafka_username": name,
            "kafka_password": f"secret of {name}",
            "kafka_ca": str(secured.authority),
        }
        return Settings(kafka=secured.kafka, relay_sleep_after=0.1, **told, **more)


Reader = Callable[..., Any]


@pytest.fixture(scope="session")
async def secured(infra: Infra) -> AsyncIterator[Secured]:
    """The session's own Kafka, or one more of ours where the session's is somebody else's."""
    if infra.secured:
        yield infra.secured
    else:
        async with infrastructure.kafka_alone() as alone:
            yield alone


@pytest.fixture(scope="session")
def province() -> Province:
    run = uuid4().hex[:8]
    post, depot, police, court = (f"{name}-{run}" for name in ("post", "depot", "police", "court"))
    internal = replace(parcels.channel(f"{post}.accounts.v1"), owner=post)
    public = replace(internal, name=f"{post}.parcels.v1", audience=Audience.PUBLIC)
    news = replace(public, name=f"{post}.news.v1")
    heard = {post: [], depot: [public.name]}
    outside = [Subscriber(police, RATE), Subscriber(court, RATE)]
    everybody = principals([public, news, internal], heard, outside)
    return Province(public, news, internal, post, depot, police, court, everybody)


@pytest.fixture(scope="package")
async def kafka(secured: Secured, province: Province) -> AsyncIterator[Kafka]:
    """An observer who may do everything; topics, rights and passwords are there."""
    async with Kafka(secured.plain) as observer:
        for channel in (province.public, province.news, province.internal):
            await observer.create(channel.name, channel.partitions)
        await observer.create(dead_letter_topic(province.depot, province.public.name), 1)
        await observer.create(replay_topic(province.police), 1)
        await admit(_on(secured), *province.principals)
        yield observer


OnCluster = Callable[[Callable[[Cluster], Any]], Awaitable[Any]]


def _on(secured: Secured) -> OnCluster:
    def do(work: Callable[[Cluster], Any]) -> Any:
        with connected(Settings(kafka=secured.plain)) as cluster:
            return work(cluster)

    return lambda work: asyncio.to_thread(do, work)


async def admit(on_cluster: OnCluster, *principals: Principal) -> None:
    """Rights, quotas and a password for each; returns when the broker has heard of it from its controller."""

    def give(cluster: Cluster) -> None:
        cluster.give(cluster.compare(principals))
        for principal in principals:
            cluster.set_password(principal.name, f"secret of {principal.name}")

    await on_cluster(give)
    await in_line(on_cluster, *principals)


async def in_line(on_cluster: OnCluster, *principals: Principal) -> Difference:
    """What else there is, once nothing is missing."""

    async def look() -> Difference | None:
        found: Difference = await on_cluster(lambda cluster: cluster.compare(principals))
        return None if found.missing or found.changed else found

    return cast(Difference, await eventually(look, within=30))


@pytest.fixture
def on_cluster(secured: Secured, kafka: Kafka) -> OnCluster:
    """Does something as the cluster's administrator, in a thread: kafka-python blocks."""
    return _on(secured)


@pytest.fixture
async def reader(secured: Secured, province: Province, kafka: Kafka) -> AsyncIterator[Reader]:
    """`await reader(name, *topics, group=…)`: a consumer of plain aiokafka, logged in as this principal."""
    made: list[AIOKafkaConsumer] = []

    async def read(name: str, *topics: str, group: str | None, **other: Any) -> AIOKafkaConsumer:
        settings = province.login(secured, name)
        login = {"bootstrap_servers": settings.kafka, **outbox.security(settings), **other}
        made.append(AIOKafkaConsumer(*topics, group_id=group, auto_offset_reset="earliest", **login))
        await eventually(lambda: _starts(made[-1]), within=15, what=f"{name} cannot log in")
        return made[-1]

    yield read
    for consumer in made:
        await consumer.stop()


async def _starts(consumer: AIOKafkaConsumer) -> bool:
    """A new password reaches the broker a moment after it was set."""
    try:
        await consumer.start()
    except KafkaConnectionError:
        return False
    return True

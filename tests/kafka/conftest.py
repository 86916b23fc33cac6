"""A province of the tests' own on a secured Kafka: two services, two systems outside, and what each may do."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer

from contracts.envelope import Audience, Channel
from deploy.kafka.cluster import Cluster, connected
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

RATE = 50_000_000


@dataclass(frozen=True)
class Province:
    public: Channel
    internal: Channel
    post: str
    """Owns both channels."""
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
    heard = {post: [], depot: [public.name]}
    outside = [Subscriber(police, RATE), Subscriber(court, RATE)]
    return Province(public, internal, post, depot, police, court, principals([public, internal], heard, outside))


@pytest.fixture(scope="session")
async def kafka(secured: Secured, province: Province) -> AsyncIterator[Kafka]:
    """An observer who may do everything; topics, rights and passwords are there."""
    async with Kafka(secured.plain) as observer:
        for channel in (province.public, province.internal):
            await observer.create(channel.name, channel.partitions)
        await observer.create(dead_letter_topic(province.depot, province.public.name), 1)
        await observer.create(replay_topic(province.police), 1)
        await asyncio.to_thread(_admit, secured, province)
        yield observer


def _admit(secured: Secured, province: Province) -> None:
    with connected(Settings(kafka=secured.plain)) as cluster:
        cluster.give(cluster.compare(province.principals))
        for principal in province.principals:
            cluster.set_password(principal.name, f"secret of {principal.name}")


@pytest.fixture
def on_cluster(secured: Secured, kafka: Kafka) -> Callable[[Callable[[Cluster], Any]], Any]:
    """Does something as the cluster's administrator, in a thread: kafka-python blocks."""

    def do(work: Callable[[Cluster], Any]) -> Any:
        with connected(Settings(kafka=secured.plain)) as cluster:
            return work(cluster)

    return lambda work: asyncio.to_thread(do, work)


@pytest.fixture
async def reader(secured: Secured, province: Province, kafka: Kafka) -> AsyncIterator[Reader]:
    """`await reader(name, *topics, group=…)`: a consumer of plain aiokafka, logged in as this principal."""
    made: list[AIOKafkaConsumer] = []

    async def read(name: str, *topics: str, group: str | None, **other: Any) -> AIOKafkaConsumer:
        settings = province.login(secured, name)
        login = {"bootstrap_servers": settings.kafka, **outbox.security(settings), **other}
        made.append(AIOKafkaConsumer(*topics, group_id=group, auto_offset_reset="earliest", **login))
        await made[-1].start()
        return made[-1]

    yield read
    for consumer in made:
        await consumer.stop()

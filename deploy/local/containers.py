"""Kafka, PostgreSQL and S3 from the images that teams run: what `./motcua test --infra containers` uses."""

import asyncio
import secrets as random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import requests
from docker.errors import DockerException  # type: ignore[import-untyped]
from testcontainers.core.container import DockerContainer

from deploy.local import databases, kafka, ports, postgres, s3
from deploy.local.infra import PORTS, Infra
from deploy.local.store import Store
from deploy.local.trouble import Trouble

KAFKA = "apache/kafka:4.3.1"
POSTGRES = "postgres:17"
S3 = "andrewgaul/s3proxy:s3proxy-4.1.0"

START_TIMEOUT = 120.0
"""Seconds until a container must answer."""


@asynccontextmanager
async def containers() -> AsyncIterator[Infra]:
    """Three containers on free ports, removed at the end."""
    at, password = ports.free(PORTS), random.token_hex(16)
    infra = Infra(
        f"{ports.HOST}:{at['kafka']}",
        databases.admin_url(at["postgres"], password),
        Store(f"http://{ports.HOST}:{at['s3']}", random.token_hex(10), random.token_hex(20)),
    )
    async with AsyncExitStack() as running:
        await running.enter_async_context(_container(KAFKA, {9092: at["kafka"]}, _kafka(at["kafka"])))
        await running.enter_async_context(_container(POSTGRES, {5432: at["postgres"]}, _postgres(password)))
        await running.enter_async_context(_container(S3, {80: at["s3"]}, _s3(infra.s3)))
        await _wait(KAFKA, partial(kafka.is_ready, infra.kafka))
        await _wait(POSTGRES, partial(postgres.is_ready, infra.postgres))
        await _wait(S3, partial(s3.is_ready, infra.s3))
        await kafka.create_topics(infra.kafka)
        await s3.create_bucket(infra.s3)
        yield infra


@asynccontextmanager
async def _container(image: str, published: Mapping[int, int], env: Mapping[str, str]) -> AsyncIterator[None]:
    container = DockerContainer(image)
    for inside, outside in published.items():
        container.with_bind_ports(f"{inside}/tcp", outside)
    for name, value in env.items():
        container.with_env(name, value)
    try:
        await asyncio.to_thread(container.start)
    except (DockerException, requests.RequestException) as error:
        raise Trouble(
            f"Docker cannot run {image} ({_briefly(error)}): start Docker and let it pull, "
            "or run the tests without containers: `./motcua test`."
        ) from None
    try:
        yield
    finally:
        await asyncio.to_thread(container.stop)


def _briefly(error: Exception) -> str:
    return " ".join(str(error).split())[:160]


async def _wait(image: str, is_ready: Callable[[], Awaitable[bool]]) -> None:
    try:
        async with asyncio.timeout(START_TIMEOUT):
            while not await is_ready():  # noqa: ASYNC110 (a container sets no event)
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise Trouble(f"{image} does not answer after {START_TIMEOUT:.0f} s: `docker logs` says why.") from None


def _kafka(port: int) -> dict[str, str]:
    """The image makes settings of variables: dots become underscores."""
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENERS": "PLAINTEXT://0.0.0.0:9092,CONTROLLER://localhost:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{ports.HOST}:{port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    }


def _postgres(password: str) -> dict[str, str]:
    return {"POSTGRES_PASSWORD": password}


def _s3(store: Store) -> dict[str, str]:
    return {
        "S3PROXY_AUTHORIZATION": "aws-v2-or-v4",
        "S3PROXY_IDENTITY": store.access_key,
        "S3PROXY_CREDENTIAL": store.secret_key,
        "S3PROXY_CORS_ALLOW_ALL": "true",
        "JCLOUDS_PROVIDER": "filesystem-nio2",
    }

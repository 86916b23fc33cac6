"""Kafka, PostgreSQL and S3 from the images that teams run: what `./motcua test --infra containers` uses."""

import asyncio
import secrets as random
from collections.abc import AsyncIterator, Awaitable, Callable
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
S3 = "versity/versitygw:v1.8.0"

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
        await running.enter_async_context(_running(KAFKA, partial(_kafka, at["kafka"])))
        await running.enter_async_context(_running(POSTGRES, partial(_postgres, at["postgres"], password)))
        await running.enter_async_context(_running(S3, partial(_s3, at["s3"], infra.s3)))
        await _wait(KAFKA, partial(kafka.is_ready, infra.kafka))
        await _wait(POSTGRES, partial(postgres.is_ready, infra.postgres))
        await _wait(S3, partial(s3.is_ready, infra.s3))
        await kafka.create_topics(infra.kafka)
        await s3.create_bucket(infra.s3)
        yield infra


@asynccontextmanager
async def _running(image: str, describe: Callable[[], DockerContainer]) -> AsyncIterator[None]:
    try:
        container = describe()
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


def _kafka(port: int) -> DockerContainer:
    """The image makes settings of variables: underscores become dots."""
    settings = {
        "NODE_ID": "1",
        "PROCESS_ROLES": "broker,controller",
        "CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "LISTENERS": "PLAINTEXT://0.0.0.0:9092,CONTROLLER://localhost:9093",
        "ADVERTISED_LISTENERS": f"PLAINTEXT://{ports.HOST}:{port}",
        "LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "AUTO_CREATE_TOPICS_ENABLE": "false",
        "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
        "SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
        "GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    }
    container = DockerContainer(KAFKA).with_bind_ports("9092/tcp", port)
    return container.with_envs(**{f"KAFKA_{name}": value for name, value in settings.items()})


def _postgres(port: int, password: str) -> DockerContainer:
    container = DockerContainer(POSTGRES).with_bind_ports("5432/tcp", port)
    return container.with_env("POSTGRES_PASSWORD", password).with_command("-c max_connections=200")


def _s3(port: int, store: Store) -> DockerContainer:
    container = DockerContainer(S3).with_bind_ports("7070/tcp", port)
    container.with_envs(ROOT_ACCESS_KEY=store.access_key, ROOT_SECRET_KEY=store.secret_key)
    return container.with_command("--cors-allow-origin * posix /tmp")

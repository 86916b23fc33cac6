"""Kafka, PostgreSQL and S3 together, as real servers: embedded, in containers, or wherever the environment says."""

import os
import secrets as random
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from deploy.local import databases, jars, kafka, ports, postgres, s3
from deploy.local.server import Server, nothing
from deploy.local.store import Store
from deploy.local.system import System
from deploy.local.trouble import Trouble

PORTS = ("kafka", "kafka-controller", "kafka-secured", "postgres", "s3")


@dataclass(frozen=True)
class Secured:
    """A Kafka that also listens where TLS and a password are asked for, and rights count."""

    plain: str
    """Whoever reaches it may do everything."""
    kafka: str
    authority: Path
    """PEM of whoever vouches for the broker."""


@dataclass(frozen=True)
class Infra:
    kafka: str
    """Bootstrap servers, `host:port`."""
    postgres: str = field(repr=False)
    """URL of the server's administrator."""
    s3: Store
    system: System = field(default_factory=System, repr=False)
    """The processes `kafka`, `postgres` and `s3`, to be killed and started again; empty if they are not ours."""
    secured: Secured | None = None
    """The secured side of `kafka`, if it is ours."""


def servers(
    folder: Path, logs: Path, at: dict[str, int], store: Store, password: str, *, durable: bool = True
) -> list[Server]:
    """The three embedded servers with their data below a folder."""
    origins = [f"http://{host}:{at['gateway']}" for host in (ports.HOST, "localhost") if "gateway" in at]
    return [
        kafka.server(folder / "kafka", logs, at["kafka"], at["kafka-controller"], at["kafka-secured"]),
        postgres.server(folder / "postgres", logs, at["postgres"], password, durable=durable),
        s3.server(folder / "s3", logs, at["s3"], store, origins or ["*"]),
    ]


@asynccontextmanager
async def embedded(at: dict[str, int] | None = None, *, durable: bool = True) -> AsyncIterator[Infra]:
    """Servers on free ports with their data in a folder that is thrown away.

    `durable`: PostgreSQL waits for the disk, as in production; tests, which never lose power, need not wait.
    """
    at = at or ports.free(PORTS)
    jars.fetch()
    folder = _throw_away(in_memory=not durable)
    password = random.token_hex(16)
    store = Store(f"http://{ports.HOST}:{at['s3']}", random.token_hex(10), random.token_hex(20))
    system = System(servers(folder / "data", folder / "logs", at, store, password, durable=durable))
    try:
        await system.bring_up()
        admin = databases.admin_url(at["postgres"], password)
        yield Infra(f"{ports.HOST}:{at['kafka']}", admin, store, system, _secured(folder, at))
    finally:
        await system.stop_all()
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def kafka_alone() -> AsyncIterator[Secured]:
    """The embedded Kafka without topics, where the other servers are somebody else's."""
    at = ports.free(["kafka", "kafka-controller", "kafka-secured"])
    jars.fetch()
    folder = _throw_away(in_memory=True)
    server = kafka.server(folder / "data" / "kafka", folder / "logs", *at.values())
    system = System([replace(server, settle=nothing)])
    try:
        await system.bring_up()
        yield _secured(folder, at)
    finally:
        await system.stop_all()
        shutil.rmtree(folder, ignore_errors=True)


def _secured(folder: Path, at: dict[str, int]) -> Secured:
    plain, secured = (f"{ports.HOST}:{at[name]}" for name in ("kafka", "kafka-secured"))
    return Secured(plain, secured, kafka.authority(folder / "data" / "kafka"))


MEMORY = Path("/dev/shm")  # noqa: S108 (mkdtemp makes the folder)
"""Where Linux keeps files in memory. Tests copy and drop a database each; on some disks that takes half a second."""
ENOUGH = 4 * 2**30
"""Bytes that must be free there."""


def _throw_away(*, in_memory: bool) -> Path:
    roomy = in_memory and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH
    folder = Path(tempfile.mkdtemp(prefix="motcua-", dir=MEMORY if roomy else None))
    folder.chmod(0o711)  # PostgreSQL runs as another user when we are root
    return folder


@asynccontextmanager
async def external() -> AsyncIterator[Infra]:
    """A team's own servers, named by the environment; topics and the bucket are made if they are missing."""
    infra = Infra(
        _named("MOTCUA_TEST_KAFKA", "host:port"),
        _named("MOTCUA_TEST_POSTGRES", "postgresql://administrator:password@host:port/postgres"),
        Store(
            _named("MOTCUA_TEST_S3_URL", "http://host:port"),
            _named("MOTCUA_TEST_S3_ACCESS_KEY", "the key's name"),
            _named("MOTCUA_TEST_S3_SECRET_KEY", "the key"),
            os.environ.get("MOTCUA_TEST_S3_REGION", "us-east-1"),
            os.environ.get("MOTCUA_TEST_S3_BUCKET", "motcua-test"),
        ),
    )
    await _need(infra)
    yield infra


def _named(variable: str, example: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise Trouble(f"--infra external needs {variable} ({example}).")
    return value


async def _need(infra: Infra) -> None:
    for name, ready in (
        ("Kafka", kafka.is_ready(infra.kafka)),
        ("PostgreSQL", postgres.is_ready(infra.postgres)),
        ("S3", s3.is_ready(infra.s3)),
    ):
        if not await ready:
            raise Trouble(f"{name} does not answer where the environment says: check its MOTCUA_TEST_… variables.")
    await kafka.create_topics(infra.kafka)
    await s3.create_bucket(infra.s3)

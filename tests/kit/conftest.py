"""A database with kit's tables alone, a channel of its own for every test, and an observer at the broker."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from typer.testing import CliRunner

from contracts.envelope import Channel
from deploy.local.infra import Infra
from kit.db import Database
from kit.settings import Settings
from kit.worker import dead_letter_topic
from tests.kit import parcels
from tests.kit.kafka import Kafka

MakeDatabase = Callable[[str], Awaitable[Database]]


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("kit")


@pytest.fixture
def settings(infra: Infra, db: Database) -> Settings:
    return Settings(
        database_url=db.url,
        kafka=infra.kafka,
        s3_url=infra.s3.url,
        s3_access_key=infra.s3.access_key,
        s3_secret_key=infra.s3.secret_key,
        s3_region=infra.s3.region,
        s3_bucket=infra.s3.bucket,
        relay_sleep_after=0.1,
    )


@pytest.fixture
def consumer() -> str:
    """Who hears the parcels: a group of this test's own."""
    return f"depot{uuid4().hex[:12]}"


@pytest.fixture
def channel() -> Channel:
    """Parcels; the topic is there for tests that ask for `kafka`."""
    return parcels.channel(f"test{uuid4().hex[:12]}.parcels.v1")


@pytest.fixture
async def kafka(infra: Infra, channel: Channel, consumer: str) -> AsyncIterator[Kafka]:
    """The broker, with the test's channel and the place for its dead letters."""
    async with Kafka(infra.kafka) as observer:
        await observer.create(channel.name, channel.partitions)
        await observer.create(dead_letter_topic(consumer, channel.name), 1)
        yield observer


@pytest.fixture
async def effects(infra: Infra, db: Database) -> Database:
    """The database with a table in which subscribers leave their effects; doing it twice is seen."""
    admin = await administrator(infra, db)
    await admin.execute("CREATE TABLE effect (n int GENERATED ALWAYS AS IDENTITY, parcel text, version int, note text)")
    await admin.execute("GRANT ALL ON effect TO PUBLIC")
    await admin.close()
    return db


@pytest.fixture
def operator(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Runs operators' commands on the test's database; in a thread, since each has an event loop of its own."""
    monkeypatch.setattr("kit.settings._loaded", {Settings: settings})
    return CliRunner()


@pytest.fixture(scope="session")
def exporter() -> InMemorySpanExporter:
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> InMemorySpanExporter:
    """What this process has finished since the test began."""
    exporter.clear()
    return exporter


@asynccontextmanager
async def running(*work: Coroutine[Any, Any, None]) -> AsyncIterator[list["asyncio.Task[None]"]]:
    """These coroutines beside the block; what they died of, if they did."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def administrator(infra: Infra, db: Database) -> "asyncpg.Connection[asyncpg.Record]":
    """A connection to this database that may do everything."""
    return await asyncpg.connect(infra.postgres.rpartition("/")[0] + "/" + db.url.rpartition("/")[2])


async def end_sessions(infra: Infra, db: Database, *, that: str = "true") -> int:
    """Break the connections to this database for which the SQL condition over pg_stat_activity holds."""
    admin = await administrator(infra, db)
    mine = "datname = current_database() AND pid <> pg_backend_pid()"
    try:
        sql = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {mine} AND ({that})"  # noqa: S608
        return int(await admin.fetchval(sql))
    finally:
        await admin.close()

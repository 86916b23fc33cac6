"""What can go wrong, each at the moment that hurts most."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiokafka
import asyncpg

from contracts.dossier import DOSSIERS, DossierSubmitted
from contracts.envelope import Channel
from deploy.local.stack import Stack
from kit import ids, outbox
from kit.db import Connection, prepare_connection
from tests.chaos.paths import EXAMPLES
from tests.support import eventually

Place = tuple[str, str]
"""Partition and offset of a record."""


@asynccontextmanager
async def database(stack: Stack, service: str) -> AsyncIterator[Connection]:
    """A service's database, as the server's administrator: only they see who waits for what."""
    conn = await asyncpg.connect(stack.infra.postgres, database=stack.site.place(service).database)
    await prepare_connection(conn)
    try:
        yield conn
    finally:
        await conn.close()


async def restart(stack: Stack, name: str) -> None:
    """kill -9, and start it again."""
    stack.kill(name)
    await stack.wait_dead(name)
    stack.start(name)
    await stack.wait_ready(name)


async def kill_relay_between_send_and_mark(stack: Stack, service: str) -> None:
    """Kafka has acknowledged the event; the row is not marked yet."""
    async with database(stack, service) as holder, database(stack, service) as watcher:
        row_held = holder.transaction()
        await row_held.start()
        await eventually(lambda: _hold_a_pending_row(holder), within=60, every=0.001)
        await eventually(lambda: _somebody_waits(watcher, "UPDATE outbox%"), within=30)
        stack.kill(service)
        await stack.wait_dead(service)
        await row_held.rollback()
    stack.start(service)
    await stack.wait_ready(service)


async def _hold_a_pending_row(conn: Connection) -> bool:
    return bool(await conn.fetch("SELECT id FROM outbox WHERE published_at IS NULL FOR UPDATE SKIP LOCKED"))


WAITING = """
SELECT 1 FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND ltrim(query, E' \n') LIKE $1
"""


async def _somebody_waits(conn: Connection, statement: str) -> bool:
    return bool(await conn.fetchval(WAITING, statement))


async def kill_consumer_between_commit_and_offset(stack: Stack, service: str) -> None:
    """The effect is committed in the database; Kafka stands still, so the offset is not."""
    async with database(stack, service) as holder, database(stack, service) as watcher:
        async with holder.transaction():
            await holder.execute("LOCK TABLE inbox_position IN EXCLUSIVE MODE")
            await eventually(lambda: _somebody_waits(watcher, "%inbox_position%"), within=60)
            heard = await _heard(watcher)
            stack.infra.system.kill("kafka", signal.SIGSTOP)
        try:
            await eventually(lambda: _more_than(watcher, heard), within=30)
            stack.kill(service)
            await stack.wait_dead(service)
        finally:
            stack.infra.system.kill("kafka", signal.SIGCONT)
    stack.start(service)
    await stack.wait_ready(service)


async def _heard(conn: Connection) -> int:
    return int(await conn.fetchval("SELECT coalesce(sum(version), 0) FROM inbox_position"))


async def _more_than(conn: Connection, before: int) -> bool:
    return await _heard(conn) > before


async def kill_consumer_before_commit(stack: Stack, service: str) -> None:
    """The records were read and are being worked on; longer than any automatic commit of offsets would wait."""
    async with database(stack, service) as holder, database(stack, service) as watcher, holder.transaction():
        await holder.execute("LOCK TABLE inbox_position, history IN EXCLUSIVE MODE")
        await eventually(lambda: _somebody_waits(watcher, "%"), within=60)
        await _let_automatic_commits_happen()
        stack.kill(service)
        await stack.wait_dead(service)
    stack.start(service)
    await stack.wait_ready(service)


async def _let_automatic_commits_happen() -> None:
    """Kafka's clients commit by themselves every 5 s, where they are allowed to: this much must pass."""
    await asyncio.sleep(7)


async def restart_kafka(stack: Stack) -> None:
    """kill -9 of the broker."""
    system = stack.infra.system
    system.kill("kafka")
    await system.units["kafka"].running.wait()
    system.start("kafka")
    await system.wait_ready("kafka")


async def record_late(stack: Stack) -> str:
    """An event whose transaction commits long after later ones were published; returns its dossier's code."""
    example = json.loads((EXAMPLES / "DossierSubmitted.v1.json").read_text("utf-8"))
    code = f"H99.02.01-990101-{ids.new().int % 10**9:09d}"
    event = DossierSubmitted.model_validate({**example, "dossier_code": code, "version": 1})
    async with (
        database(stack, "dossier") as late,
        database(stack, "dossier") as watcher,
        late.transaction(),
    ):
        await outbox.record(late, DOSSIERS, event)
        mine = await late.fetchval("SELECT max(id) FROM outbox WHERE key = $1", code)
        await eventually(lambda: _published_after(watcher, mine), within=60)
    return code


async def _published_after(conn: Connection, row: int) -> bool:
    return bool(await conn.fetchval("SELECT 1 FROM outbox WHERE id > $1 AND published_at IS NOT NULL LIMIT 1", row))


async def poison(stack: Stack, channel: Channel) -> set[Place]:
    """Records that nobody can apply; returns where they lie."""
    bad: list[dict[str, Any]] = [
        {"value": b"{not json", "headers": [("ce_type", channel.type_of(channel.events[0]).encode())]},
        {"value": b"{}", "headers": [("ce_type", b"\xff\xfe")]},
        {"value": None, "headers": []},
    ]
    producer = aiokafka.AIOKafkaProducer(bootstrap_servers=stack.infra.kafka, acks="all")
    await producer.start()
    try:
        sent = [await producer.send_and_wait(channel.name, key=b"poison", **record) for record in bad]
    finally:
        await producer.stop()
    return {(str(place.partition), str(place.offset)) for place in sent}

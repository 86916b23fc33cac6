"""What is recorded is published: all of it, once, in order; and nothing else."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from cloudevents.core.formats.json import JSONFormat
from prometheus_client import REGISTRY
from typer.testing import CliRunner

from contracts.envelope import Channel, Event
from deploy.local.infra import Infra
from kit import ops, outbox
from kit.clock import now
from kit.db import Database
from kit.outbox import Relay
from kit.settings import Settings
from tests.kit.conftest import end_sessions, running
from tests.kit.kafka import Kafka, first_heard, histories
from tests.kit.parcels import ParcelSent, moved, sent
from tests.support import eventually
from tests.support_proxy import proxy

DRAINED = "SELECT NOT EXISTS (SELECT FROM outbox WHERE published_at IS NULL)"
RELAY = f"pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = {outbox.LOCK} AND granted)"  # noqa: S608
"""The session that holds the slots."""


async def say(db: Database, channel: Channel, *events: Event) -> None:
    async with db.transaction() as tx:
        await outbox.record(tx, channel, *events)


async def all_is_published(db: Database) -> None:
    await eventually(lambda: db.fetchval(DRAINED), within=30)


# ── what is published ─────────────────────────────────────────────────────────────────────────────────────────


async def test_an_event_of_a_transaction_that_was_rolled_back_is_never_published(
    db: Database, settings: Settings, channel: Channel, kafka: Kafka
) -> None:
    with contextlib.suppress(ZeroDivisionError):
        async with db.transaction() as tx:
            await outbox.record(tx, channel, sent("lost"))
            raise ZeroDivisionError
    await say(db, channel, sent("kept"))

    async with running(Relay(settings).run()):
        await all_is_published(db)

    assert [record.key for record in await kafka.everything_on(channel.name)] == [b"kept"]
    assert await db.fetchval("SELECT count(*) FROM outbox") == 1


async def test_each_event_is_published_once_and_those_of_one_aggregate_in_order(
    db: Database, settings: Settings, channel: Channel, kafka: Kafka
) -> None:
    names = [f"parcel-{n}" for n in range(20)]

    async with running(Relay(settings).run()):
        for version in range(1, 16, 3):
            for name in names:
                await say(db, channel, *[moved(name, version + step) for step in range(3)])
        await all_is_published(db)

    assert histories(await kafka.everything_on(channel.name)) == {name: list(range(1, 16)) for name in names}


async def test_more_events_than_one_batch_holds_are_published_in_order(
    db: Database, settings: Settings, channel: Channel, kafka: Kafka
) -> None:
    count = outbox.BATCH * 2 + 7
    await say(db, channel, *[moved("far", version) for version in range(1, count + 1)])

    async with running(Relay(settings).run()):
        await all_is_published(db)

    assert histories(await kafka.everything_on(channel.name)) == {"far": list(range(1, count + 1))}


async def test_the_official_cloudevents_sdk_reads_what_is_published(
    db: Database, settings: Settings, channel: Channel, kafka: Kafka
) -> None:
    event = sent("parcel-1")
    await say(db, channel, event)

    async with running(Relay(settings).run()):
        await all_is_published(db)
    [record] = await kafka.everything_on(channel.name)
    read = from_binary_event(KafkaMessage(dict(record.headers), record.key, record.value), JSONFormat())

    assert read.get_specversion() == "1.0"
    assert UUID(read.get_id()).version == 7
    assert read.get_type() == f"vn.motcua.post.ParcelSent.{channel.major}"
    assert read.get_source() == "/services/post"
    assert read.get_subject() == "parcel-1"
    assert read.get_time() == datetime.fromisoformat(dict(record.headers)["ce_time"].decode())
    assert read.get_dataschema() == channel.schema_of(ParcelSent)
    assert read.get_datacontenttype() == "application/json"
    assert read.get_extension("aggregateversion") == "1"
    assert read.get_extension("correlationid") == read.get_id()
    assert ParcelSent.model_validate(read.get_data()) == event


async def test_an_event_that_is_too_large_for_kafka_is_refused_when_it_is_recorded(
    db: Database, channel: Channel
) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await say(db, channel, moved("parcel-1", 1, to="x" * 900_000))

    assert await db.fetchval("SELECT count(*) FROM outbox") == 0


async def test_erasing_an_aggregate_publishes_a_tombstone_after_its_events(
    db: Database, settings: Settings, channel: Channel, kafka: Kafka
) -> None:
    await say(db, channel, sent("parcel-1"))
    async with db.transaction() as tx:
        await outbox.erase(tx, channel, "parcel-1")

    async with running(Relay(settings).run()):
        await all_is_published(db)

    first, second = await kafka.everything_on(channel.name)
    assert (first.key, second.key) == (b"parcel-1", b"parcel-1")
    assert first.value is not None
    assert second.value is None


# ── many at once ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_commits_late_is_published_although_a_reader_by_cursor_would_have_passed_it(
    db: Database, settings: Settings, channel: Channel, kafka: Kafka
) -> None:
    by_cursor = "SELECT id, key FROM outbox WHERE id > $1 ORDER BY id"
    async with running(Relay(settings).run()):
        async with db.transaction() as slow:
            await outbox.record(slow, channel, sent("slow"))
            await say(db, channel, sent("quick"))
            await all_is_published(db)
            [seen] = await db.fetch(by_cursor, 0)
        missed = await db.fetch(by_cursor, seen["id"])
        await all_is_published(db)

    assert seen["key"] == "quick"
    assert not missed, "a cursor would have found the late row after all: this test proves nothing"
    assert set(histories(await kafka.everything_on(channel.name))) == {"slow", "quick"}


async def test_sixteen_concurrent_writers_lose_nothing(
    infra: Infra, db: Database, settings: Settings, channel: Channel, kafka: Kafka
) -> None:
    pool = await Database.open(db.url, size=16)

    async def write(writer: int) -> None:
        for version in range(1, 21):
            await say(pool, channel, moved(f"writer-{writer}", version))

    async with running(Relay(settings).run()):
        await asyncio.gather(*[write(n) for n in range(16)])
        await all_is_published(db)
    await pool.close()

    expected = {f"writer-{n}": list(range(1, 21)) for n in range(16)}
    assert histories(await kafka.everything_on(channel.name)) == expected


# ── what can never be sent ────────────────────────────────────────────────────────────────────────────────────


async def test_a_hopeless_event_holds_back_its_aggregate_alone_until_it_is_released(
    db: Database, settings: Settings, channel: Channel, kafka: Kafka, operator: CliRunner
) -> None:
    await kafka.set(channel.name, max_message_bytes="200000")
    await say(db, channel, moved("heavy", 1, to="x" * 300_000), moved("heavy", 2))
    others = [f"parcel-{n}" for n in range(30)]
    for name in others:
        await say(db, channel, sent(name), moved(name, 2))

    async with running(Relay(settings).run()):
        await eventually(lambda: db.fetchval("SELECT count(*) = 2 FROM outbox WHERE published_at IS NULL"))
        held = await db.fetch("SELECT key, reason FROM outbox_quarantine")
        published = histories(await kafka.everything_on(channel.name))

        await kafka.set(channel.name, max_message_bytes="1000000")
        answer = await asyncio.to_thread(operator.invoke, ops.cli("kit"), ["release", channel.name, "heavy"])
        await all_is_published(db)

    assert [(row["key"], row["reason"]) for row in held] == [("heavy", "MessageSizeTooLargeError")]
    assert {name: first_heard(versions) for name, versions in published.items() if name != "heavy"} == {
        name: [1, 2] for name in others
    }
    assert answer.exit_code == 0, answer.output
    assert histories(await kafka.everything_on(channel.name))["heavy"][-2:] == [1, 2]


async def test_who_was_in_a_batch_with_a_hopeless_event_is_not_held_back(
    db: Database, settings: Settings, channel: Channel, kafka: Kafka
) -> None:
    await kafka.set(channel.name, max_message_bytes="20000")  # smaller than a batch
    await say(db, channel, moved("heavy", 1, to="x" * 30_000))
    others = [f"parcel-{n}" for n in range(30)]
    await say(db, channel, *[sent(name) for name in others])

    async with running(Relay(settings).run()):
        await eventually(lambda: db.fetchval("SELECT count(*) = 1 FROM outbox WHERE published_at IS NULL"), within=30)

    assert await db.fetchval("SELECT string_agg(key, ' ') FROM outbox_quarantine") == "heavy"
    assert set(histories(await kafka.everything_on(channel.name))) == set(others)


# ── trouble ───────────────────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def traffic(db: Database, channel: Channel) -> AsyncIterator[dict[str, int]]:
    """A writer that never rests; yields the number of events it has said by aggregate, which grows."""
    said: dict[str, int] = {f"parcel-{n}": 0 for n in range(5)}

    async def write() -> None:
        while True:
            for name in said:
                await say(db, channel, moved(name, said[name] + 1))
                said[name] += 1

    async with running(write()):
        yield said


async def has_said(said: dict[str, int], more: int) -> None:
    """Wait until the writer has said so many more of each."""
    goal = min(said.values()) + more
    await eventually(lambda: min(said.values()) >= goal, within=30)


def restarts() -> float:
    return REGISTRY.get_sample_value("motcua_relay_restarts_total") or 0


async def nothing_is_lost_or_reordered(db: Database, kafka: Kafka, channel: Channel, said: dict[str, int]) -> None:
    await all_is_published(db)
    heard = {
        name: first_heard(versions) for name, versions in histories(await kafka.everything_on(channel.name)).items()
    }
    # the last event of each may have been committed while its writer was being stopped
    assert all(heard[name] in (list(range(1, n + 1)), list(range(1, n + 2))) for name, n in said.items()), heard


async def test_the_relay_survives_the_end_of_its_connection(
    infra: Infra, db: Database, settings: Settings, channel: Channel, kafka: Kafka
) -> None:
    relay = Relay(settings)
    async with running(relay.run()):
        async with traffic(db, channel) as said:
            for _ in range(3):
                await eventually(lambda: relay.leading)
                await has_said(said, 10)
                assert await end_sessions(infra, db, that=RELAY) == 1
                await eventually(lambda: not relay.leading)
            await eventually(lambda: relay.leading)
            await has_said(said, 10)
        await nothing_is_lost_or_reordered(db, kafka, channel, said)


async def test_the_relay_waits_while_kafka_is_away(
    infra: Infra, db: Database, settings: Settings, channel: Channel, kafka: Kafka
) -> None:
    async with proxy(infra.kafka) as way:
        through = settings.model_copy(update={"kafka": way.address})
        async with running(Relay(through).run()):
            async with traffic(db, channel) as said:
                await has_said(said, 10)
                await way.cut()
                await has_said(said, 10)
                await way.mend()
                await has_said(said, 10)
                way.passing.clear()
                await has_said(said, 10)
                way.passing.set()
            await nothing_is_lost_or_reordered(db, kafka, channel, said)


async def test_a_relay_that_starts_before_kafka_waits_for_it(
    infra: Infra, db: Database, settings: Settings, channel: Channel, kafka: Kafka
) -> None:
    await say(db, channel, sent("parcel-1"))
    async with proxy(infra.kafka) as way:
        await way.cut()
        before = restarts()
        async with running(Relay(settings.model_copy(update={"kafka": way.address})).run()):
            await eventually(lambda: restarts() > before + 1)
            await way.mend()
            await all_is_published(db)


async def test_a_relay_that_is_stopped_while_kafka_is_away_leaves_nothing_running(
    infra: Infra, db: Database, settings: Settings, channel: Channel, kafka: Kafka
) -> None:
    async with proxy(infra.kafka) as way:
        before = _tasks_of_relays()
        async with running(Relay(settings.model_copy(update={"kafka": way.address})).run()):
            await say(db, channel, sent("parcel-1"))
            await all_is_published(db)
            assert _tasks_of_relays() > before
            way.passing.clear()
            await say(db, channel, *[sent(f"parcel-{n}") for n in range(2, 50)])
            await eventually(lambda: way.waiting)
        await way.cut()
        await eventually(lambda: not (_tasks_of_relays() - before), what="tasks of the relay to end")


def _tasks_of_relays() -> set[asyncio.Task[Any]]:
    """What runs in a producer or in kit. Others' tasks come and go: those of consumers that fetch, for one."""
    return {task for task in asyncio.all_tasks() if re.search(r"/(aiokafka/producer|kit)/", _file_of(task))}


def _file_of(task: asyncio.Task[Any]) -> str:
    return str(getattr(getattr(task.get_coro(), "cr_code", None), "co_filename", ""))


async def test_of_two_relays_one_leads_and_the_other_takes_over(
    db: Database, settings: Settings, channel: Channel, kafka: Kafka
) -> None:
    relays = [Relay(settings), Relay(settings)]
    tasks = [asyncio.create_task(relay.run()) for relay in relays]
    async with traffic(db, channel) as said:
        await has_said(said, 20)
        [leader] = [n for n, relay in enumerate(relays) if relay.leading]
        tasks[leader].cancel()
        await eventually(lambda: relays[1 - leader].leading)
        await has_said(said, 20)
    await nothing_is_lost_or_reordered(db, kafka, channel, said)

    assert not relays[leader].leading
    tasks[1 - leader].cancel()
    await asyncio.wait(tasks)


# ── sleep ─────────────────────────────────────────────────────────────────────────────────────────────────────

ASLEEP = "SELECT asleep FROM outbox_relay"


async def test_a_sleeping_relay_is_woken_by_the_transaction_that_says_something(
    db: Database, settings: Settings, channel: Channel, kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "WATCH", 600.0)  # it will not look by itself
    async with running(Relay(settings).run()):
        await eventually(lambda: db.fetchval(ASLEEP))
        await say(db, channel, sent("parcel-1"))
        await all_is_published(db)


async def test_a_wake_up_that_was_lost_costs_a_second_not_the_event(
    db: Database, settings: Settings, channel: Channel, kafka: Kafka
) -> None:
    async with db.transaction() as tx:
        await outbox.record(tx, channel, sent("parcel-1"))  # nobody sleeps yet, so nobody is to be woken
        relay = asyncio.create_task(Relay(settings).run())
        await eventually(lambda: db.fetchval(ASLEEP))
    await all_is_published(db)
    relay.cancel()
    await asyncio.wait([relay])


async def test_whoever_speaks_to_a_relay_that_is_awake_sends_no_notification(db: Database, channel: Channel) -> None:
    heard: list[str] = []
    ear = await asyncpg.connect(db.url)
    await ear.add_listener("outbox", lambda *message: heard.append(str(message[-1])))

    await say(db, channel, sent("parcel-1"))
    await db.execute("SELECT pg_notify('outbox', 'the end')")
    await eventually(lambda: heard)
    await ear.close()

    assert heard == ["the end"]


async def test_a_relay_that_leads_is_awake_whatever_its_predecessor_left(db: Database, settings: Settings) -> None:
    await db.execute("UPDATE outbox_relay SET asleep = true")  # it was killed in its sleep
    relay = Relay(settings.model_copy(update={"relay_sleep_after": 600.0}))
    async with running(relay.run()):
        await eventually(lambda: relay.leading)
        await eventually(lambda: db.fetchval("SELECT NOT asleep FROM outbox_relay"))


# ── the archive ───────────────────────────────────────────────────────────────────────────────────────────────

MONTHS = "SELECT relname FROM pg_class WHERE relname LIKE 'outbox\\_2%' AND relkind = 'r' ORDER BY relname"


async def test_there_is_a_partition_for_this_month_and_the_next(db: Database) -> None:
    this = now().replace(day=1)
    following = (this + timedelta(days=32)).replace(day=1)

    found = [row["relname"] for row in await db.fetch(MONTHS)]

    assert found == [f"outbox_{this:%Y%m}", f"outbox_{following:%Y%m}"]


async def test_the_service_may_ask_for_a_month_and_for_no_other_change_of_the_schema(db: Database) -> None:
    await db.execute("SELECT outbox_month('2031-05-17')")
    await db.execute("SELECT outbox_month('2031-05-01')")

    assert "outbox_203105" in [row["relname"] for row in await db.fetch(MONTHS)]
    for forbidden in (
        "ALTER TABLE outbox ADD COLUMN x int",
        "CREATE TABLE mine (x int)",
        "DROP TABLE timer",
        "TRUNCATE outbox",
        "UPDATE schema_migration SET sha256 = ''",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await db.execute(forbidden)


async def test_a_month_that_began_without_its_partition_still_gets_one(db: Database, channel: Channel) -> None:
    await say(db, channel, sent("parcel-1"))
    await db.execute("UPDATE outbox SET created_at = '2031-05-17T00:00:00Z'")  # as if nobody had looked for years

    await db.execute("SELECT outbox_month('2031-05-20')")

    assert await db.fetchval("SELECT tableoid::regclass::text FROM outbox") == "outbox_203105"


async def test_replayed_events_keep_their_ids_and_versions(
    db: Database, settings: Settings, channel: Channel, kafka: Kafka, operator: CliRunner
) -> None:
    await say(db, channel, sent("parcel-1"), moved("parcel-1", 2))
    await say(db, channel, sent("parcel-2"))
    async with running(Relay(settings).run()):
        await all_is_published(db)
        command = ["replay", channel.name, "--key", "parcel-1"]
        answer = await asyncio.to_thread(operator.invoke, ops.cli("kit"), command)
        await all_is_published(db)

    heard = await kafka.everything_on(channel.name)
    assert "2 events" in answer.output
    assert histories(heard) == {"parcel-1": [1, 2, 1, 2], "parcel-2": [1]}
    assert len({dict(record.headers)["ce_id"] for record in heard}) == 3

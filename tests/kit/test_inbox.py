"""Every event is applied once, in the order of its aggregate, or lies where a person finds it."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from aiokafka.errors import KafkaConnectionError
from prometheus_client import REGISTRY
from typer.testing import CliRunner

from contracts.envelope import Channel
from deploy.local.infra import Infra
from kit import ops, outbox
from kit.db import Connection, Database
from kit.inbox import Inbox, Poison, Record
from kit.service import patiently
from kit.settings import Settings
from kit.worker import Worker, dead_letter_topic
from tests.kit.conftest import end_sessions, running
from tests.kit.kafka import Kafka
from tests.kit.parcels import AboutParcel, Heard, heard, moved, sent
from tests.support import eventually
from tests.support_proxy import proxy

APPLY = "INSERT INTO effect (parcel, version, note) VALUES ($1, $2, $3)"
APPLIED = "SELECT parcel, version FROM effect ORDER BY n"


def depot(consumer: str, channel: Channel, trouble: Callable[[AboutParcel], None] = lambda _: None) -> Inbox:
    """Somebody who writes down every parcel event, unless `trouble` raises."""
    inbox = Inbox(consumer)

    @inbox.hears(channel)
    async def on_parcel(tx: Connection, event: AboutParcel) -> None:
        await tx.execute(APPLY, event.parcel, event.version, type(event).__name__)
        trouble(event)

    return inbox


async def applied(db: Database) -> list[tuple[str, int]]:
    return [(row["parcel"], row["version"]) for row in await db.fetch(APPLIED)]


async def versions_of(db: Database, parcel: str) -> list[int]:
    return [version for name, version in await applied(db) if name == parcel]


class Graveyard(list[tuple[Record, Exception]]):
    """Where dead letters go when there is no broker."""

    async def bury(self, record: Record, why: Exception) -> None:
        self.append((record, why))


async def no_grave(record: Record, why: Exception) -> None:
    raise KafkaConnectionError


async def hear(inbox: Inbox, db: Database, *records: Record) -> Graveyard:
    dead = Graveyard()
    await inbox.consume(db, records, dead.bury)
    return dead


def counted(metric: str, channel: Channel, **labels: str) -> float:
    return REGISTRY.get_sample_value(metric, {"channel": channel.name, **labels}) or 0


# ── once, and in order ────────────────────────────────────────────────────────────────────────────────────────


async def test_hearing_twice_is_hearing_once(effects: Database, consumer: str, channel: Channel) -> None:
    inbox, first, second = depot(consumer, channel), heard(channel, sent("p")), heard(channel, moved("p", 2))

    await hear(inbox, effects, first, second)
    await hear(inbox, effects, second, first)
    await hear(inbox, effects, first, first)

    assert await applied(effects) == [("p", 1), ("p", 2)]
    assert counted("motcua_inbox_duplicates_total", channel) == 4


async def test_twice_in_one_batch_is_once_too(effects: Database, consumer: str, channel: Channel) -> None:
    event = heard(channel, sent("p"))

    await hear(depot(consumer, channel), effects, event, event)

    assert await applied(effects) == [("p", 1)]


async def test_the_same_event_in_two_processes_at_once_is_applied_once(
    effects: Database, consumer: str, channel: Channel
) -> None:
    inbox = depot(consumer, channel)
    events = [heard(channel, moved(f"p{n}", version)) for version in (1, 2) for n in range(10)]

    await asyncio.gather(*[hear(inbox, effects, *events) for _ in range(4)])

    assert sorted(await applied(effects)) == sorted((f"p{n}", version) for version in (1, 2) for n in range(10))


async def test_what_comes_too_early_waits_for_what_is_missing(
    effects: Database, consumer: str, channel: Channel
) -> None:
    inbox = depot(consumer, channel)
    one, two, three, four, five = [heard(channel, moved("p", version)) for version in range(1, 6)]

    await hear(inbox, effects, one, three, four)
    assert await versions_of(effects, "p") == [1]
    await hear(inbox, effects, three)
    await hear(inbox, effects, two, five)

    assert await versions_of(effects, "p") == [1, 2, 3, 4, 5]
    assert await effects.fetchval("SELECT count(*) FROM inbox_parked") == 0
    assert await effects.fetchval("SELECT parked FROM inbox_position") == 0


async def test_two_holes_are_closed_one_after_the_other(effects: Database, consumer: str, channel: Channel) -> None:
    inbox = depot(consumer, channel)
    one, two, three, four, five = [heard(channel, moved("p", version)) for version in range(1, 6)]

    await hear(inbox, effects, five, three, one)
    assert await versions_of(effects, "p") == [1]
    await hear(inbox, effects, two)
    assert await versions_of(effects, "p") == [1, 2, 3]
    await hear(inbox, effects, four)

    assert await versions_of(effects, "p") == [1, 2, 3, 4, 5]


async def test_a_type_that_is_not_known_yet_is_counted_and_holds_nothing_up(
    effects: Database, consumer: str, channel: Channel
) -> None:
    unknown = heard(channel, moved("p", 2), ce_type="vn.motcua.post.ParcelPraised.v1")
    unknown.value = b'{"version": 2, "parcel": "p", "praise": "so light!"}'

    dead = await hear(
        depot(consumer, channel), effects, heard(channel, sent("p")), unknown, heard(channel, moved("p", 3))
    )

    assert await versions_of(effects, "p") == [1, 3]
    assert counted("motcua_inbox_ignored_total", channel) == 1
    assert not dead


async def test_a_subscriber_of_batches_gets_each_aggregate_in_order(
    effects: Database, consumer: str, channel: Channel
) -> None:
    inbox, calls = Inbox(consumer), []

    @inbox.hears(channel, batch=True)
    async def on_parcels(tx: Connection, events: Sequence[AboutParcel]) -> None:
        calls.append([(event.parcel, event.version) for event in events])

    events = [moved(name, version) for version in (1, 2, 3) for name in ("p", "q")]
    await hear(inbox, effects, *[heard(channel, event) for event in (events[2], *events)])

    assert calls == [[("p", 1), ("p", 2), ("q", 1), ("q", 2), ("p", 3), ("q", 3)]]


async def test_what_a_subscriber_says_names_its_cause(effects: Database, consumer: str, channel: Channel) -> None:
    inbox = Inbox(consumer)

    @inbox.hears(channel)
    async def on_parcel(tx: Connection, event: AboutParcel) -> None:
        await outbox.record(tx, channel, moved("answer", event.version))

    first = heard(channel, sent("p"), ce_id="first", ce_correlationid="story")
    await hear(inbox, effects, first, heard(channel, sent("q"), ce_id="second", ce_correlationid="other"))
    headers = [row["headers"] for row in await effects.fetch("SELECT headers FROM outbox ORDER BY id")]

    assert [(each["ce_causationid"], each["ce_correlationid"]) for each in headers] == [
        ("first", "story"),
        ("second", "other"),
    ]
    assert outbox.cause.get() is None


# ── compacted channels ────────────────────────────────────────────────────────────────────────────────────────


async def test_on_a_compacted_channel_versions_may_leap_and_a_tombstone_erases(
    effects: Database, consumer: str, channel: Channel
) -> None:
    compacted = replace(channel, compacted=True)
    inbox, erased = depot(consumer, compacted), []

    @inbox.forgets(compacted)
    async def forget(tx: Connection, key: str) -> None:
        erased.append(key)

    await hear(inbox, effects, heard(compacted, moved("p", 3)), heard(compacted, moved("p", 7)))
    await hear(inbox, effects, Heard(compacted.name, b"p", None))

    assert await versions_of(effects, "p") == [3, 7]
    assert erased == ["p"]


# ── poison ────────────────────────────────────────────────────────────────────────────────────────────────────


def poison(channel: Channel) -> dict[str, Heard]:
    """One of each kind of record that can never be applied."""
    good = heard(channel, sent("bad"))
    without = [(name, value) for name, value in good.headers if name != "ce_type"]
    return {
        "broken JSON": replace(good, value=b'{"version": 1, '),
        "an empty body": replace(good, value=b""),
        "a body that does not fit": replace(good, value=json.dumps({"version": 1, "parcel": "bad"}).encode()),
        "a version that is none": replace(good, value=good.value.replace(b'"version":1', b'"version":0')),  # type: ignore[union-attr]
        "a binary header": replace(good, headers=[*good.headers, ("junk", b"\xff\xfe\x00")]),
        "no type": replace(good, headers=without),
        "no headers at all": replace(good, headers=[]),
        "a tombstone": replace(good, value=None, headers=[]),
        "the key of another": replace(good, key=b"other"),
        "a key that is no text": replace(good, key=b"\xff"),
        "no key": replace(good, key=None),
        "another source": heard(channel, sent("bad"), ce_source="/services/forger"),
        "an unknown type without version": replace(
            heard(channel, sent("bad"), ce_type="vn.motcua.post.Odd.v1", ce_aggregateversion=""), value=b"{}"
        ),
        "a letter that PostgreSQL cannot hold": heard(channel, sent("b\0d")),
        "a version beyond all bounds": heard(channel, moved("bad", 2**40)),
    }


async def test_poison_is_put_aside_and_its_neighbours_are_applied(
    effects: Database, consumer: str, channel: Channel
) -> None:
    inbox = depot(consumer, channel)
    for kind, bad in poison(channel).items():
        first, second = [heard(channel, moved(kind, version)) for version in (1, 2)]

        dead = await hear(inbox, effects, first, bad, second)

        assert [record for record, _ in dead] == [bad], kind
        assert await versions_of(effects, kind) == [1, 2]
    assert len(await applied(effects)) == 2 * len(poison(channel))


@asynccontextmanager
async def at_work(settings: Settings, inbox: Inbox, db: Database) -> AsyncIterator[Worker]:
    worker = Worker(settings, inbox, db)
    await patiently("kafka", worker.start)
    try:
        yield worker
    finally:
        await worker.stop()


def raw(*records: Heard) -> list[tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]]:
    return [(record.key, record.value, record.headers) for record in records]


async def test_dead_letters_are_the_original_bytes_and_say_why(
    effects: Database, settings: Settings, consumer: str, channel: Channel, kafka: Kafka
) -> None:
    bad = poison(channel)
    await kafka.put(channel.name, *raw(heard(channel, sent("good")), *bad.values()), partition=0)
    await kafka.put(channel.name, *raw(heard(channel, moved("good", 2))), partition=0)

    async with at_work(settings, depot(consumer, channel), effects):
        await eventually(lambda: versions_of(effects, "good"))
        await eventually(lambda: applied_all(effects, ("good", 1), ("good", 2)))
        dead = await eventually(lambda: dead_letters(kafka, consumer, channel, len(bad)))

    for letter, record in zip(dead, bad.values(), strict=True):
        count = len(record.headers)
        assert (letter.key, letter.value, list(letter.headers)[:count]) == (record.key, record.value, record.headers)
        assert {name for name, _ in list(letter.headers)[count:]} == {
            "dlq-original-topic", "dlq-original-partition", "dlq-original-offset", "dlq-original-timestamp",
            "dlq-group", "dlq-error-class", "dlq-error-fingerprint", "dlq-failed-at",
        }  # fmt: skip
    assert [dict(letter.headers)["dlq-original-offset"] for letter in dead] == [
        str(n).encode() for n in range(1, len(bad) + 1)
    ]


async def applied_all(db: Database, *wanted: tuple[str, int]) -> Any:
    found = await applied(db)
    assert sorted(found) == sorted(wanted), found
    return True


async def dead_letters(kafka: Kafka, consumer: str, channel: Channel, count: int) -> Any:
    found = await kafka.everything_on(dead_letter_topic(consumer, channel.name))
    assert len(found) == count, f"{len(found)} dead letters"
    return found


async def test_a_poisoned_aggregate_waits_until_its_dead_letter_was_redriven(
    effects: Database, settings: Settings, consumer: str, channel: Channel, kafka: Kafka, operator: CliRunner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    mended = False

    def trouble(event: AboutParcel) -> None:
        if event.parcel == "p" and event.version == 2 and not mended:
            raise Poison("no room")

    inbox = depot(consumer, channel, trouble)
    monkeypatch.setattr(ops, "_inbox_of", lambda _: inbox)
    events = [heard(channel, moved(name, version)) for version in (1, 2, 3, 4) for name in ("p", "q")]
    await kafka.put(channel.name, *raw(*events))

    async def command(*words: str) -> Any:
        return await asyncio.to_thread(operator.invoke, ops.cli(consumer), ["dlq", *words])

    async with at_work(settings, inbox, effects):
        await eventually(lambda: applied_all(effects, ("p", 1), *[("q", n) for n in (1, 2, 3, 4)]))
        [letter] = await eventually(lambda: dead_letters(kafka, consumer, channel, 1))
        listed = await command("list")
        in_vain = await command("redrive")
        mended = True
        dry = await command("redrive", "--dry-run")
        assert await versions_of(effects, "p") == [1]
        successful = await command("redrive")
        again = await command("redrive")

    assert json.loads(listed.output)["dlq-error-class"] == "Poison"
    assert "0 applied, 1 still dead" in in_vain.output
    assert in_vain.exit_code == 1
    assert "1 would be tried" in dry.output
    assert "1 applied, 0 still dead" in successful.output
    assert "0 applied, 0 still dead" in again.output
    assert await versions_of(effects, "p") == [1, 2, 3, 4]
    assert dict(letter.headers)["ce_id"] == dict(events[2].headers)["ce_id"]


async def test_poison_that_was_parked_does_not_condemn_the_event_that_frees_it(
    effects: Database, consumer: str, channel: Channel
) -> None:
    def trouble(event: AboutParcel) -> None:
        if event.version == 3:
            raise Poison("never")

    inbox = depot(consumer, channel, trouble)
    one, two, three, four = [heard(channel, moved("p", version)) for version in range(1, 5)]

    dead = await hear(inbox, effects, one, three, four)
    dead += await hear(inbox, effects, two)

    assert await versions_of(effects, "p") == [1, 2]
    assert [(record.key, record.value) for record, _ in dead] == [(three.key, three.value)]
    assert await effects.fetchval("SELECT array_agg(version) FROM inbox_parked") == [4]


async def test_what_waited_is_not_forgotten_when_burying_it_failed(
    effects: Database, consumer: str, channel: Channel
) -> None:
    condemned = True

    def trouble(event: AboutParcel) -> None:
        if event.version == 3 and condemned:
            raise Poison("not yet")

    inbox = depot(consumer, channel, trouble)
    one, two, three, four = [heard(channel, moved("p", version)) for version in range(1, 5)]
    await hear(inbox, effects, one, three, four)
    with pytest.raises(KafkaConnectionError):
        await inbox.consume(effects, [two], no_grave)
    assert await versions_of(effects, "p") == [1, 2]

    condemned = False
    await hear(inbox, effects, two)  # it was not committed, so it comes again

    assert await versions_of(effects, "p") == [1, 2, 3, 4]
    assert await effects.fetchval("SELECT parked FROM inbox_position") == 0


# ── trouble ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_failing_subscriber_leaves_no_trace_of_the_whole_batch_when_the_trouble_is_transient(
    effects: Database, consumer: str, channel: Channel
) -> None:
    def trouble(event: AboutParcel) -> None:
        if event.version == 2:
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await hear(depot(consumer, channel, trouble), effects, heard(channel, sent("p")), heard(channel, moved("p", 2)))

    assert await applied(effects) == []
    assert await effects.fetchval("SELECT count(*) FROM inbox_position") == 0


async def test_a_lost_race_is_tried_again_and_is_no_poison(effects: Database, consumer: str, channel: Channel) -> None:
    lost = 0

    def trouble(event: AboutParcel) -> None:
        nonlocal lost
        lost += 1
        if lost == 1:
            raise asyncpg.SerializationError

    dead = await hear(depot(consumer, channel, trouble), effects, heard(channel, sent("p")), heard(channel, sent("q")))

    assert not dead
    assert await applied(effects) == [("p", 1), ("q", 1)]


async def test_a_database_that_is_read_only_for_a_while_condemns_nobody(
    infra: Infra, effects: Database, consumer: str, channel: Channel
) -> None:
    name = effects.url.rpartition("/")[2]
    admin = await asyncpg.connect(infra.postgres)
    await admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")  # as a demoted primary does
    standby = await Database.open(effects.url, size=1)
    inbox = depot(consumer, channel)

    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await hear(inbox, standby, heard(channel, sent("p")), heard(channel, sent("q")))

    await admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    await standby.close()
    await admin.close()
    await hear(inbox, effects, heard(channel, sent("p")))
    assert await applied(effects) == [("p", 1)]


async def test_the_worker_waits_while_its_connections_break(
    infra: Infra, effects: Database, settings: Settings, consumer: str, channel: Channel, kafka: Kafka
) -> None:
    inbox, breaks = Inbox(consumer), 3

    @inbox.hears(channel)
    async def on_parcel(tx: Connection, event: AboutParcel) -> None:
        nonlocal breaks
        await tx.execute(APPLY, event.parcel, event.version, "")
        if event.version == 5 and breaks:
            breaks -= 1
            await end_sessions(infra, effects, that=f"pid = {tx.get_server_pid()}")

    await kafka.put(channel.name, *raw(*[heard(channel, moved("p", version)) for version in range(1, 11)]))
    async with at_work(settings, inbox, effects):
        await eventually(lambda: applied_all(effects, *[("p", version) for version in range(1, 11)]))

    assert breaks == 0
    assert await versions_of(effects, "p") == list(range(1, 11))
    assert not await kafka.everything_on(dead_letter_topic(consumer, channel.name))


async def test_the_worker_waits_while_the_database_refuses_everybody(
    infra: Infra, effects: Database, settings: Settings, consumer: str, channel: Channel, kafka: Kafka
) -> None:
    admin = await asyncpg.connect(infra.postgres)
    name = effects.url.rpartition("/")[2]
    async with at_work(settings, depot(consumer, channel), effects) as worker:
        await eventually(worker.assignment)
        await admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
        await end_sessions_of(admin, name)
        await kafka.put(channel.name, *raw(*[heard(channel, moved("p", version)) for version in range(1, 11)]))
        await eventually(lambda: worker._pause > 0.2, what="the worker to notice")
        assert set((await kafka.committed(consumer, channel.name)).values()) <= {0}
        await admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
        await eventually(lambda: applied_all(effects, *[("p", version) for version in range(1, 11)]))
    await admin.close()


async def end_sessions_of(admin: Any, name: str) -> None:
    await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)


async def test_while_dead_letters_cannot_be_written_nothing_is_committed(
    effects: Database, settings: Settings, consumer: str, channel: Channel, kafka: Kafka
) -> None:
    graves = dead_letter_topic(consumer, channel.name)
    await kafka.set(graves, max_message_bytes="100")  # nothing fits
    bad = replace(heard(channel, sent("bad")), value=b"?")
    await kafka.put(channel.name, *raw(heard(channel, sent("p")), bad, heard(channel, sent("q"))), partition=0)

    async with at_work(settings, depot(consumer, channel), effects) as worker:
        await eventually(lambda: worker._pause > 0.4, what="the worker to have tried twice")
        assert (await kafka.committed(consumer, channel.name)).get(0, 0) == 0
        await kafka.set(graves, max_message_bytes="1000000")
        await eventually(lambda: dead_letters(kafka, consumer, channel, 1), within=20)
        await eventually(lambda: applied_all(effects, ("p", 1), ("q", 1)), within=20)
        await eventually(lambda: has_committed(kafka, consumer, channel, 3))


async def has_committed(kafka: Kafka, consumer: str, channel: Channel, count: int) -> Any:
    committed = await kafka.committed(consumer, channel.name)
    assert sum(at for at in committed.values() if at > 0) == count, committed
    return True


async def test_when_burying_fails_the_batch_is_heard_again(effects: Database, consumer: str, channel: Channel) -> None:
    bad = replace(heard(channel, sent("bad")), value=b"?")
    with pytest.raises(KafkaConnectionError):
        await depot(consumer, channel).consume(effects, [bad], no_grave)


async def test_what_was_applied_but_not_committed_at_kafka_is_not_applied_again(
    effects: Database, settings: Settings, consumer: str, channel: Channel, kafka: Kafka
) -> None:
    events = [heard(channel, moved(f"p{n}", version)) for version in range(1, 6) for n in range(6)]
    everything = [(f"p{n}", version) for version in range(1, 6) for n in range(6)]
    await kafka.put(channel.name, *raw(*events))
    async with at_work(settings, depot(consumer, channel), effects):
        await eventually(lambda: applied_all(effects, *everything))

    await kafka.rewind(consumer, channel.name)  # the worker was killed between its two commits
    async with at_work(settings, depot(consumer, channel), effects):
        await eventually(lambda: has_committed(kafka, consumer, channel, len(events)))

    assert counted("motcua_inbox_duplicates_total", channel) == len(events)
    assert sorted(await applied(effects)) == sorted(everything)


async def test_workers_come_and_go_and_everything_is_applied_once(
    effects: Database, settings: Settings, consumer: str, channel: Channel, kafka: Kafka
) -> None:
    said: list[tuple[str, int]] = []

    async def speak() -> None:
        for version in itertools.count(1):
            for name in [f"p{n}" for n in range(6)]:
                said.append((name, version))
                await kafka.put(channel.name, *raw(heard(channel, moved(name, version))))

    async def goes_on() -> None:
        before = await effects.fetchval("SELECT count(*) FROM effect")
        await eventually(lambda: effects.fetchval("SELECT count(*) > $1 + 20 FROM effect", before))

    async with at_work(settings, depot(consumer, channel), effects) as first:
        async with running(speak()):
            await goes_on()
            async with at_work(settings, depot(consumer, channel), effects) as second:
                await eventually(lambda: first.assignment() and second.assignment())
                await goes_on()
            await goes_on()
        await eventually(lambda: has_applied(effects, said[:-1]), within=20)

    assert len(set(await applied(effects))) == len(await applied(effects))
    assert await versions_of(effects, "p0") == sorted(await versions_of(effects, "p0"))
    assert not await kafka.everything_on(dead_letter_topic(consumer, channel.name))


async def has_applied(db: Database, wanted: list[tuple[str, int]]) -> Any:
    assert set(wanted) <= set(await applied(db))
    return True


async def test_a_worker_waits_for_kafka_and_goes_on_when_it_comes_back(
    infra: Infra, effects: Database, settings: Settings, consumer: str, channel: Channel, kafka: Kafka
) -> None:
    async with proxy(infra.kafka) as way:
        await way.cut()
        worker = Worker(settings.model_copy(update={"kafka": way.address}), depot(consumer, channel), effects)
        starting = asyncio.create_task(patiently("kafka", worker.start))
        await kafka.put(channel.name, *raw(heard(channel, sent("p"))))
        await way.mend()
        await starting
        await eventually(lambda: applied_all(effects, ("p", 1)), within=20)
        await way.cut()
        await kafka.put(channel.name, *raw(heard(channel, moved("p", 2))))
        await way.mend()
        await eventually(lambda: applied_all(effects, ("p", 1), ("p", 2)), within=30)
        await worker.stop()


async def test_a_worker_that_stops_leaves_nothing_running(
    effects: Database, settings: Settings, consumer: str, channel: Channel, kafka: Kafka
) -> None:
    before = asyncio.all_tasks()

    async with at_work(settings, depot(consumer, channel), effects) as worker:
        await eventually(worker.assignment)

    await eventually(lambda: not (asyncio.all_tasks() - before), what="tasks of the worker to end")

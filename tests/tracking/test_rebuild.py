"""Making the projection anew while it serves: the same answers, nothing lost, and a way back."""

import asyncio
import itertools
import multiprocessing
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from multiprocessing.connection import Connection as Pipe
from multiprocessing.context import SpawnProcess
from multiprocessing.process import BaseProcess
from typing import Any

import asyncpg
import httpx2
import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from contracts.dossier import DOSSIERS
from deploy.load.records import Written
from deploy.local.infra import Infra
from kit.db import Database
from kit.http import _now
from kit.inbox import Inbox
from kit.log import Places, opened
from kit.settings import Settings
from services.tracking.app import app
from services.tracking.rebuild import making, reading, shares, store
from services.tracking.rebuild.making import BeginningLost, Different, NothingThere
from services.tracking.rebuild.shares import ShareFailed
from tests.support import eventually
from tests.tracking import generated

MakeDatabase = Callable[[str], Awaitable[Database]]


@pytest.fixture(scope="module")
def lives() -> list[Written]:
    return generated.told()


@pytest.fixture(scope="module")
async def prefix(infra: Infra, lives: list[Written]) -> AsyncIterator[str]:
    """Topics of this file's own, with all the lives on them."""
    async with generated.topics(infra.kafka) as prefix:
        await generated.put(infra.kafka, prefix, lives)
        yield prefix


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("tracking")


@pytest.fixture
def settings(infra: Infra, db: Database) -> Settings:
    return Settings(kafka=infra.kafka, database_url=db.url, migration_url=db.url.replace("_app_", "_owner_"))


@pytest.fixture
def inbox(prefix: str) -> Inbox:
    return generated.inbox_on(prefix)


@pytest.fixture
def http(http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> httpx2.AsyncClient:
    monkeypatch.setitem(app.dependency_overrides, _now, _at_noon)
    return http


async def _at_noon() -> datetime:
    """Answers say how long something has taken until now: let now stand still."""
    return generated.PLAN.until


async def test_drop_everything_and_replay_and_every_answer_is_identical(
    db: Database, settings: Settings, inbox: Inbox, prefix: str, lives: list[Written], http: httpx2.AsyncClient
) -> None:
    await generated.project(db, inbox, lives, prefix)
    before = await generated.answers(http, lives[-300:])
    for table in store.ALL:
        await db.execute(f"DELETE FROM {table}")  # noqa: S608 (our own tables)
    outcome = await making.rebuild(settings, inbox, say=_quiet)
    assert outcome.switched
    assert outcome.events == len(lives)
    assert await generated.answers(http, lives[-300:]) == before
    assert len(before) > 50
    assert {status for status, _ in before.values()} == {200}


def _quiet(_: str) -> None:
    """Nobody watches."""


async def test_nothing_differs_from_what_live_projected_and_live_goes_on_after_the_switch(
    db: Database, settings: Settings, inbox: Inbox, prefix: str, lives: list[Written]
) -> None:
    await generated.project(db, inbox, lives, prefix)
    outcome = await making.rebuild(settings, inbox, say=_quiet)
    assert (outcome.differences, outcome.lacking, outcome.unreadable) == ((), (), 0)
    rows = await db.fetchval("SELECT count(*) FROM dossier_view")
    await generated.project(db, inbox, lives[-50:], prefix)  # heard before: skipped, by positions that came along
    assert await db.fetchval("SELECT count(*) FROM dossier_view") == rows
    assert await _indexes(settings, "public") == await _indexes(settings, "retired")


async def _indexes(settings: Settings, schema: str) -> list[tuple[str, str]]:
    conn = await asyncpg.connect(settings.migration_url)
    try:
        rows = await conn.fetch("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = $1", schema)
    finally:
        await conn.close()
    own = [row for row in rows if "log_position" not in row["indexdef"]]
    tables = [row for row in own if any(f" ON {schema}.{table} " in row["indexdef"] for table in store.ALL)]
    return sorted((row["indexname"], row["indexdef"].replace(f" ON {schema}.", " ON ")) for row in tables)


async def test_look_ups_are_answered_and_events_projected_while_it_runs_and_none_is_lost(
    db: Database,
    infra: Infra,
    settings: Settings,
    lives: list[Written],
    http: httpx2.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "BATCH", 100)
    async with generated.topics(infra.kafka) as prefix:
        inbox = generated.inbox_on(prefix)
        reached: Places = {}
        await generated.put(infra.kafka, prefix, lives[:500])
        live = asyncio.create_task(generated.follow(db, settings, inbox, reached))
        asked = asyncio.create_task(_ask_for_ever(http, generated.codes(lives[:300])))
        told = asyncio.create_task(_tell_slowly(infra.kafka, prefix, lives[500:]))
        await eventually(lambda: _has_heard(reached, 400), within=20)
        outcomes = [await making.rebuild(settings, inbox, say=_quiet) for _ in range(2)]
        await told
        await eventually(lambda: _has_heard(reached, len(lives)), within=20)
        final = await making.rebuild(settings, inbox, dry_run=True, say=_quiet)
        for task in (live, asked):
            task.cancel()
        await asyncio.gather(live, return_exceptions=True)
    assert all(outcome.switched for outcome in outcomes)
    assert (final.differences, final.lacking) == ((), ())
    with suppress(asyncio.CancelledError):
        await asked  # it raises what it was answered wrongly


async def _has_heard(reached: dict[Any, int], count: int) -> bool:
    return sum(reached.values()) >= count


async def _ask_for_ever(http: httpx2.AsyncClient, codes: list[str]) -> None:
    for code in itertools.cycle(codes):
        answer = await http.get(f"/api/v1/dossiers/{code}")
        assert answer.status_code in (200, 404), answer.text
        await asyncio.sleep(0.002)


async def _tell_slowly(kafka: str, prefix: str, lives: list[Written]) -> None:
    for n in range(0, len(lives), 100):
        await generated.put(kafka, prefix, lives[n : n + 100])


async def test_a_difference_is_shown_and_keeps_the_old_tables_until_it_is_accepted(
    db: Database, settings: Settings, inbox: Inbox, prefix: str, lives: list[Written]
) -> None:
    await generated.project(db, inbox, lives, prefix)
    wrong = generated.codes(lives)[7]
    await db.execute("UPDATE dossier_view SET unit = 'H99.99' WHERE code = $1", wrong)
    with pytest.raises(Different) as raised:
        await making.rebuild(settings, inbox, say=_quiet)
    (difference,) = raised.value.outcome.differences
    assert (difference.table, difference.keys) == ("dossier_view", (wrong,))
    assert await _unit(db, wrong) == "H99.99"
    outcome = await making.switch_kept(settings, inbox, accept_differences=True, say=_quiet)
    assert outcome.switched
    assert await _unit(db, wrong) != "H99.99"
    assert (await making.roll_back(settings, inbox, say=_quiet)).switched
    assert await _unit(db, wrong) == "H99.99"


async def _unit(db: Database, code: str) -> Any:
    return await db.fetchval("SELECT unit FROM dossier_view WHERE code = $1", code)


async def test_a_dossier_that_kafka_does_not_tell_of_is_not_lost_silently(
    db: Database, settings: Settings, inbox: Inbox, prefix: str, lives: list[Written]
) -> None:
    other = generated.told(replace(generated.PLAN, dossiers=3, first=5000))
    await generated.project(db, inbox, [*lives, *other], prefix)
    with pytest.raises(Different) as raised:
        await making.rebuild(settings, inbox, say=_quiet)
    assert set(generated.codes(other)) <= set(raised.value.outcome.lacking)


async def test_a_crash_leaves_what_serves_untouched_and_the_next_run_begins_anew(
    db: Database,
    settings: Settings,
    inbox: Inbox,
    prefix: str,
    lives: list[Written],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await generated.project(db, inbox, lives, prefix)
    for step in ("finish_shadow", "differing_buckets", "switch", "come_to"):
        with monkeypatch.context() as broken:
            broken.setattr(store, step, _die)
            with pytest.raises(ConnectionAbortedError):
                await making.rebuild(settings, inbox, say=_quiet)
        assert await db.fetchval("SELECT count(*) FROM dossier_view") == len(generated.codes(lives))
    assert (await making.rebuild(settings, inbox, say=_quiet)).switched


async def _die(*_: Any, **__: Any) -> Any:
    raise ConnectionAbortedError


async def test_what_was_kept_is_switched_later_and_what_was_retired_comes_back_with_all_that_happened_since(
    db: Database, infra: Infra, settings: Settings, lives: list[Written]
) -> None:
    async with generated.topics(infra.kafka) as prefix:
        inbox = generated.inbox_on(prefix)
        with pytest.raises(NothingThere):
            await making.switch_kept(settings, inbox, say=_quiet)
        with pytest.raises(NothingThere):
            await making.roll_back(settings, inbox, say=_quiet)
        for n, step in enumerate((_keep, _switch, _back)):
            some = lives[n * 300 : (n + 1) * 300]
            await generated.put(infra.kafka, prefix, some)
            await step(settings, inbox)
            await generated.project(db, inbox, some, prefix)
        assert await _history(db) == sum("accounts" not in one.topic for one in lives[:900])
        assert (await making.rebuild(settings, inbox, dry_run=True, say=_quiet)).differences == ()


async def _keep(settings: Settings, inbox: Inbox) -> None:
    assert not (await making.rebuild(settings, inbox, keep_shadow=True, say=_quiet)).switched


async def _switch(settings: Settings, inbox: Inbox) -> None:
    assert (await making.switch_kept(settings, inbox, say=_quiet)).switched


async def _back(settings: Settings, inbox: Inbox) -> None:
    assert (await making.roll_back(settings, inbox, say=_quiet)).switched


async def _history(db: Database) -> Any:
    return await db.fetchval("SELECT count(*) FROM history")


async def test_a_topic_whose_beginning_is_gone_is_said_and_refused(
    db: Database, infra: Infra, settings: Settings, lives: list[Written]
) -> None:
    async with generated.topics(infra.kafka) as prefix:
        inbox = generated.inbox_on(prefix)
        await generated.put(infra.kafka, prefix, lives[:500])
        admin = AIOKafkaAdminClient(bootstrap_servers=infra.kafka)
        await admin.start()
        await admin.delete_records({TopicPartition(prefix + DOSSIERS.name, 0): RecordsToDelete(before_offset=5)})
        await admin.close()
        with pytest.raises(BeginningLost, match=DOSSIERS.name):
            await making.rebuild(settings, inbox, say=_quiet)
        await generated.put(infra.kafka, prefix, lives[:500])  # what `motcua dossier replay` does
        await generated.project(db, inbox, lives[:500], prefix)
        outcome = await making.rebuild(settings, inbox, accept_lost=True, say=_quiet)
        assert (outcome.switched, outcome.differences, outcome.lacking) == (True, (), ())


async def test_it_begins_at_the_beginning_however_far_the_live_projection_has_come(
    db: Database, infra: Infra, settings: Settings, lives: list[Written]
) -> None:
    async with generated.topics(infra.kafka) as prefix:
        inbox = generated.inbox_on(prefix)
        inbox.consumer = prefix + "group"  # tracking's own has members in other tests
        await generated.put(infra.kafka, prefix, lives[:300])
        await generated.project(db, inbox, lives[:300], prefix)
        await _commit_all(settings, inbox)
        said: list[str] = []
        outcome = await making.rebuild(settings, inbox, processes=2, say=said.append)
    assert (outcome.events, outcome.differences, outcome.lacking) == (300, (), ())
    assert [line for line in said if line.startswith("300 events") and line.endswith("counting and indexing")]


async def _commit_all(settings: Settings, inbox: Inbox) -> None:
    """As the live worker does, whose group this is."""
    async with opened(settings, inbox.consumer, inbox.subscriptions) as kafka:
        ends = {TopicPartition(*place): offset for place, offset in (await kafka.ends()).items()}
        await kafka._consumer.commit(ends)


async def test_several_processes_fill_the_same_and_none_of_them_stays(
    db: Database, settings: Settings, inbox: Inbox, prefix: str, lives: list[Written]
) -> None:
    await generated.project(db, inbox, lives, prefix)
    outcome = await making.rebuild(settings, inbox, processes=3, say=_quiet)
    assert (outcome.events, outcome.differences, outcome.lacking) == (len(lives), (), ())
    assert _shares() == []


def _shares() -> list[BaseProcess]:
    """Processes that fill; other tests have children too."""
    return [child for child in multiprocessing.active_children() if child.name.startswith("share ")]


async def test_when_a_process_is_killed_the_rebuild_ends_with_it_and_nothing_was_touched(
    db: Database, settings: Settings, inbox: Inbox, prefix: str, lives: list[Written]
) -> None:
    await generated.project(db, inbox, lives, prefix)
    work = asyncio.create_task(making.rebuild(settings, inbox, processes=3, say=_quiet))
    await eventually(lambda: len(_shares()) == 2, within=20)
    _shares()[0].kill()
    with pytest.raises(ShareFailed, match="killed"):
        await work
    assert _shares() == []
    assert await db.fetchval("SELECT count(*) FROM dossier_view") == len(generated.codes(lives))


async def test_what_a_process_cannot_do_is_said_by_its_kind(settings: Settings, inbox: Inbox) -> None:
    nowhere = settings.model_copy(update={"migration_url": settings.migration_url + "_nowhere"})
    with _filling(nowhere, inbox, {}) as (_, ours), pytest.raises(ShareFailed, match="InvalidCatalogName"):
        await asyncio.to_thread(shares._answer, ours)


async def test_a_process_whose_rebuild_is_gone_does_not_stay(settings: Settings, inbox: Inbox) -> None:
    for_ever = {(topic, partition): 2**40 for topic in inbox.subscriptions for partition in range(3)}
    with _filling(settings, inbox, for_ever) as (process, ours):
        await eventually(lambda: _is_reading(settings), within=30)
        assert process.is_alive()
        ours.close()
        await eventually(lambda: process.exitcode == 1)


@contextmanager
def _filling(settings: Settings, inbox: Inbox, ends: Places) -> Iterator[tuple[SpawnProcess, Pipe]]:
    """A process that fills the second of three shares."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=shares._other, args=(settings, inbox, ends, 1, 3, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield process, ours
    finally:
        process.kill()


async def _is_reading(settings: Settings) -> bool:
    async with store.connected(settings.migration_url, "public") as conn:
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user"
        return bool(await conn.fetchval(others) > 1)


async def test_only_one_rebuild_runs(settings: Settings, inbox: Inbox) -> None:
    async with making.prepared(settings, inbox, "shadow", _quiet):
        with pytest.raises(store.RebuildRunning):
            await making.rebuild(settings, inbox, say=_quiet)


async def test_nobody_becomes_a_member_of_the_group_and_no_offset_is_committed(
    settings: Settings, inbox: Inbox
) -> None:
    await making.rebuild(settings, inbox, dry_run=True, say=_quiet)
    async with opened(settings, inbox.consumer, inbox.subscriptions) as kafka:
        assert set((await kafka.committed()).values()) == {0}


async def test_foreign_and_future_events_change_nothing_that_is_shown(
    db: Database, infra: Infra, settings: Settings, lives: list[Written]
) -> None:
    async with generated.topics(infra.kafka) as prefix:
        inbox = generated.inbox_on(prefix)
        ours = lives[:300]
        one = next(told for told in reversed(ours) if told.topic == DOSSIERS.name)
        version = int(dict(one.headers)["ce_aggregateversion"])
        foreign = one._replace(headers=_said(one, ce_source=b"/services/somebody", ce_aggregateversion=b"1"))
        future = one._replace(
            headers=_said(one, ce_type=b"vn.motcua.dossier.Unheard.v1", ce_aggregateversion=b"%d" % (version + 1))
        )
        early = one._replace(value=one.value.replace(b'"version":%d,' % version, b'"version":%d,' % (version + 9)))
        await generated.put(infra.kafka, prefix, [*ours, foreign, future, one, early])
        await generated.project(db, inbox, [*ours, future], prefix)
        outcome = await making.rebuild(settings, inbox, say=_quiet)
    assert (outcome.unreadable, outcome.differences, outcome.lacking) == (1, (), ())
    assert await db.fetchval("SELECT count(*) FROM inbox_parked") == 1


def _said(told: Written, **otherwise: bytes) -> list[tuple[str, bytes]]:
    return [(name, otherwise.get(name, value)) for name, value in told.headers]

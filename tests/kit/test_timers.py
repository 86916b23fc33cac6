"""Deadlines and jobs: not early, once, and never forgotten."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from deploy.local.infra import Infra
from kit import telemetry, timers
from kit.clock import now
from kit.db import Connection, Database
from kit.timers import Timer, Timers
from tests.kit.conftest import administrator, end_sessions, running
from tests.support import eventually

APPLY = "INSERT INTO effect (parcel, note) VALUES ($1, $2)"
COUNT = "SELECT count(*) FROM effect"
LEFT = "SELECT count(*) FROM timer"
NONE_LEFT = "SELECT count(*) = 0 FROM timer"


def post_office() -> Timers:
    """Writes down every deadline and how much too early it came."""
    ours = Timers()

    @ours.due("return")
    async def give_back(tx: Connection, timer: Timer) -> None:
        late = await tx.fetchval("SELECT extract(epoch FROM clock_timestamp() - $1)", timer.due_at)
        await tx.execute(APPLY, timer.key, str(late))

    return ours


async def schedule(db: Database, kind: str, key: str, *, within: float = 0, **payload: Any) -> None:
    async with db.transaction() as tx:
        await timers.schedule(tx, kind, key, now() + timedelta(seconds=within), payload)


async def bring_forward(db: Database) -> None:
    """As if the pause were over."""
    await db.execute("UPDATE timer SET due_at = now() - interval '1 ms' WHERE given_up_at IS NULL")


# ── deadlines ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_deadline_never_fires_early(effects: Database) -> None:
    for n in range(20):
        await schedule(effects, "return", f"p{n}", within=n / 20)

    async with running(post_office().run(effects)):
        await eventually(lambda: effects.fetchval(NONE_LEFT))

    assert await effects.fetchval(COUNT) == 20
    assert await effects.fetchval("SELECT min(note::float) >= 0 FROM effect")


async def test_a_deadline_fires_once_however_many_look(effects: Database) -> None:
    for n in range(60):
        await schedule(effects, "return", f"p{n}")

    async with running(*[post_office().run(effects) for _ in range(3)]):
        await eventually(lambda: effects.fetchval(NONE_LEFT))

    assert await effects.fetchval(COUNT) == 60
    assert await effects.fetchval("SELECT count(DISTINCT parcel) FROM effect") == 60


@pytest.mark.parametrize("kind", ["return", "call"])
async def test_whatever_the_plan_one_look_takes_one(infra: Infra, effects: Database, kind: str) -> None:
    admin = await administrator(infra, effects)
    for switch in ("hashjoin", "mergejoin", "hashagg", "material", "sort"):
        await admin.execute(f"ALTER ROLE {effects.url.split('/')[2].split(':')[0]} SET enable_{switch} = off")
    other = await Database.open(effects.url)
    ours = post_office()

    @ours.job("call")
    async def call(db: Database, job: Timer) -> None:
        await db.execute(APPLY, job.key, "")

    for n in range(5):
        await schedule(other, kind, f"p{n}")
    await (ours.fire_next(other) if kind == "return" else ours.work_next(other))

    due = await other.fetchval("SELECT count(*) FROM timer WHERE due_at <= now()")
    await other.close()
    await admin.execute(f"ALTER ROLE {effects.url.split('/')[2].split(':')[0]} RESET ALL")
    await admin.close()
    assert (await effects.fetchval(COUNT), due) == (1, 4)


async def test_a_deadline_whose_handler_fails_comes_again_and_holds_up_no_other(effects: Database) -> None:
    ours = Timers()
    failures: list[Exception] = [ZeroDivisionError(), ConnectionResetError(), TimeoutError()]

    @ours.due("return")
    async def give_back(tx: Connection, timer: Timer) -> None:
        await tx.execute(APPLY, timer.key, str(timer.attempt))
        if timer.key == "bad" and failures:
            raise failures.pop()

    await schedule(effects, "return", "bad", within=-60)
    for n in range(5):
        await schedule(effects, "return", f"good{n}")

    for _ in range(6):
        assert await ours.fire_next(effects)
    assert await effects.fetchval("SELECT count(*) FROM effect WHERE parcel LIKE 'good%'") == 5
    left = await effects.fetchrow("SELECT key, attempt, last_error, due_at > now() AS later FROM timer")
    assert tuple(left or ()) == ("bad", 1, "TimeoutError", True)
    for _ in range(3):
        await bring_forward(effects)
        assert await ours.fire_next(effects)

    assert await effects.fetchval("SELECT string_agg(note, '') FROM effect WHERE parcel = 'bad'") == "4"
    assert await effects.fetchval(LEFT) == 0


async def test_a_deadline_survives_the_end_of_its_connection(infra: Infra, effects: Database) -> None:
    ours, breaks = Timers(), 2

    @ours.due("return")
    async def give_back(tx: Connection, timer: Timer) -> None:
        nonlocal breaks
        await tx.execute(APPLY, timer.key, "")
        if breaks:
            breaks -= 1
            await end_sessions(infra, effects, that=f"pid = {tx.get_server_pid()}")

    await schedule(effects, "return", "p")
    async with running(ours.run(effects)):
        await eventually(lambda: effects.fetchval(NONE_LEFT))

    assert await effects.fetchval(COUNT) == 1


async def test_a_deadline_may_schedule_itself_again(effects: Database) -> None:
    ours = Timers()

    @ours.due("round")
    async def go_round(tx: Connection, timer: Timer) -> None:
        await tx.execute(APPLY, timer.key, "")
        if timer.payload["left"]:
            await timers.schedule(tx, "round", timer.key, now(), {"left": timer.payload["left"] - 1})

    await schedule(effects, "round", "p", left=4)
    async with running(ours.run(effects)):
        await eventually(lambda: effects.fetchval(NONE_LEFT))

    assert await effects.fetchval(COUNT) == 5


async def test_a_timer_of_a_transaction_that_was_rolled_back_does_not_exist(effects: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        await schedule_and_fail(effects)

    assert await effects.fetchval(LEFT) == 0


async def schedule_and_fail(db: Database) -> None:
    async with db.transaction() as tx:
        await timers.schedule(tx, "return", "p", now())
        raise ZeroDivisionError


async def test_a_cancelled_timer_does_not_fire(effects: Database) -> None:
    await schedule(effects, "return", "p")
    await schedule(effects, "return", "q")
    async with effects.transaction() as tx:
        await timers.cancel(tx, "return", "p")
        await timers.cancel(tx, "return", "never scheduled")

    async with running(post_office().run(effects)):
        await eventually(lambda: effects.fetchval(NONE_LEFT))

    assert await effects.fetchval("SELECT string_agg(parcel, ' ') FROM effect") == "q"


async def test_who_cancels_a_timer_that_is_firing_does_not_wait_for_it(effects: Database) -> None:
    """The handler waits for a row that the canceller holds: waiting for the timer's row too would be a deadlock."""
    ours, firing = Timers(), asyncio.Event()

    @ours.due("return")
    async def give_back(tx: Connection, timer: Timer) -> None:
        firing.set()
        await tx.execute("SELECT pg_advisory_xact_lock(7)")
        await tx.execute(APPLY, timer.key, "")

    await schedule(effects, "return", "p")
    async with effects.transaction() as tx:
        await tx.execute("SELECT pg_advisory_xact_lock(7)")
        fired = asyncio.create_task(ours.fire_next(effects))
        await firing.wait()
        async with asyncio.timeout(0.8):  # PostgreSQL looks for deadlocks after a second
            await timers.cancel(tx, "return", "p")

    assert await fired
    assert await effects.fetchval(COUNT) == 1, "it went on when the canceller had ended"
    assert await effects.fetchval(LEFT) == 0


async def test_several_deadlines_fire_at_the_same_time(effects: Database) -> None:
    ours, together = Timers(), asyncio.Barrier(3)

    @ours.due("return")
    async def give_back(tx: Connection, timer: Timer) -> None:
        await together.wait()
        await tx.execute(APPLY, timer.key, "")

    for n in range(3):
        await schedule(effects, "return", f"p{n}")
    async with running(ours.run(effects)):
        await eventually(lambda: effects.fetchval(NONE_LEFT))

    assert await effects.fetchval(COUNT) == 3


async def test_scheduling_again_moves_the_timer(effects: Database) -> None:
    ours = post_office()
    await schedule(effects, "return", "p", within=3600, why="first")
    await schedule(effects, "return", "p", why="second")
    await schedule(effects, "return", "q")
    await schedule(effects, "return", "q", within=3600)

    assert await ours.fire_next(effects)
    assert not await ours.fire_next(effects)

    assert await effects.fetchval("SELECT string_agg(parcel, ' ') FROM effect") == "p"
    assert await effects.fetchval("SELECT key FROM timer") == "q"


async def test_a_kind_that_nobody_knows_waits_for_a_version_that_does(effects: Database) -> None:
    await schedule(effects, "tomorrow's idea", "p")

    assert not await post_office().fire_next(effects)

    assert await effects.fetchval(LEFT) == 1


# ── jobs ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_failing_job_is_tried_again_with_growing_pauses_and_then_given_up(effects: Database) -> None:
    ours = Timers()

    @ours.job("call", attempts=5)
    async def call(db: Database, job: Timer) -> None:
        await db.execute(APPLY, job.key, str(job.attempt))
        raise ConnectionResetError

    await schedule(effects, "call", "p")
    pauses = []
    for _ in range(5):
        assert await ours.work_next(effects)
        pauses.append(await effects.fetchval("SELECT extract(epoch FROM due_at - now())::float FROM timer"))
        assert not await ours.work_next(effects)
        await bring_forward(effects)
    assert not await ours.work_next(effects)

    given_up = await effects.fetchrow("SELECT attempt, last_error, given_up_at <= now() FROM timer")
    assert tuple(given_up or ()) == (5, "ConnectionResetError", True)
    assert [await effects.fetchval("SELECT string_agg(note, '') FROM effect")] == ["12345"]
    assert all(0.7 * 2**n < pause < 1.3 * 2**n for n, pause in enumerate(pauses)), pauses
    assert telemetry.GIVEN_UP.labels("call")._value.get() == 1


async def test_a_job_that_was_given_up_can_be_scheduled_again(effects: Database) -> None:
    ours, broken = Timers(), True

    @ours.job("call", attempts=1)
    async def call(db: Database, job: Timer) -> None:
        if broken:
            raise ConnectionResetError

    await schedule(effects, "call", "p")
    assert await ours.work_next(effects)
    assert not await ours.work_next(effects)

    broken = False
    await schedule(effects, "call", "p")
    assert await ours.work_next(effects)
    assert await effects.fetchval(LEFT) == 0


async def test_a_job_runs_once_however_many_look(effects: Database) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(3):
            ours = Timers()

            @ours.job("call")
            async def call(db: Database, job: Timer) -> None:
                await db.execute(APPLY, job.key, "")

            await stack.enter_async_context(running(ours.run(effects)))
        for n in range(30):
            await schedule(effects, "call", f"p{n}")
        await eventually(lambda: effects.fetchval(NONE_LEFT))

    assert await effects.fetchval(COUNT) == 30


async def test_the_lease_of_a_worker_that_died_is_taken_over(effects: Database) -> None:
    ours, started = Timers(), asyncio.Event()

    @ours.job("call", lease=0.3)
    async def call(db: Database, job: Timer) -> None:
        if job.attempt == 1:
            started.set()
            await asyncio.Event().wait()
        await db.execute(APPLY, job.key, str(job.attempt))

    await schedule(effects, "call", "p")
    worker = asyncio.create_task(ours.work_next(effects))
    await started.wait()
    assert not await ours.work_next(effects)
    worker.cancel()
    await asyncio.wait([worker])

    await eventually(lambda: ours.work_next(effects))

    assert await effects.fetchval("SELECT note FROM effect") == "2"
    assert await effects.fetchval(LEFT) == 0


async def test_a_job_that_was_scheduled_anew_while_it_worked_is_done_again(effects: Database) -> None:
    ours = Timers()

    @ours.job("call")
    async def call(db: Database, job: Timer) -> None:
        await db.execute(APPLY, job.key, job.payload["text"])
        if job.payload["text"] == "old":
            await schedule(db, "call", "p", text="new")

    await schedule(effects, "call", "p", text="old")
    assert await ours.work_next(effects)
    assert await ours.work_next(effects)
    assert not await ours.work_next(effects)

    assert await effects.fetchval("SELECT string_agg(note, ' ' ORDER BY n) FROM effect") == "old new"


async def test_who_has_lost_the_lease_does_not_end_the_job_of_the_new_holder(effects: Database) -> None:
    ours = Timers()

    @ours.job("call")
    async def call(db: Database, job: Timer) -> None:
        if job.payload["text"] == "new":
            raise ConnectionResetError
        await schedule(db, "call", "p", text="new")
        assert await ours.work_next(db)  # another worker takes it, and fails, while we are still at the old one

    await schedule(effects, "call", "p", text="old")
    assert await ours.work_next(effects)

    left = await effects.fetchrow("SELECT payload ->> 'text', attempt, last_error FROM timer")
    assert tuple(left or ()) == ("new", 1, "ConnectionResetError")


async def test_a_job_knows_when_it_was_due(effects: Database) -> None:
    ours, moments = Timers(), []

    @ours.job("call")
    async def call(db: Database, job: Timer) -> None:
        moments.append(job.due_at)

    due_at = now() - timedelta(minutes=3)
    async with effects.transaction() as tx:
        await timers.schedule(tx, "call", "p", due_at)
    await ours.work_next(effects)

    assert moments == [due_at]


# ── traces ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["return", "call"])
async def test_a_timer_goes_on_in_the_trace_of_whoever_scheduled_it(
    effects: Database, kind: str, spans: InMemorySpanExporter
) -> None:
    ours, seen = Timers(), []

    async def remember(where: Any, timer: Timer) -> None:
        seen.append(trace.get_current_span().get_span_context().trace_id)

    ours.due("return")(remember)
    ours.job("call")(remember)
    with telemetry.span("the cause") as cause:
        await schedule(effects, kind, "p")
    await (ours.fire_next(effects) if kind == "return" else ours.work_next(effects))

    assert seen == [cause.get_span_context().trace_id]


async def test_a_job_that_ends_its_worker_each_time_is_given_up(effects: Database) -> None:
    ours, started = Timers(), asyncio.Event()

    @ours.job("call", attempts=1, lease=0.3)
    async def call(db: Database, job: Timer) -> None:
        started.set()
        await asyncio.Event().wait()

    await schedule(effects, "call", "p")
    worker = asyncio.create_task(ours.work_next(effects))
    await started.wait()
    worker.cancel()
    await asyncio.wait([worker])

    await eventually(lambda: ours.work_next(effects))

    assert await effects.fetchval("SELECT given_up_at <= now() FROM timer")

"""Durable deadlines and jobs in PostgreSQL: they survive restarts, fire once across replicas, and never early.

A *deadline* (`due`) fires inside one transaction together with its own removal: its effect happens exactly once. A
*job* works outside any transaction, so it may use the network; it is leased, repeated with growing pauses when it
fails, and kept with an alarm when it failed for the last time.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
import structlog

from kit import telemetry
from kit.clock import now
from kit.db import Connection, Database, is_transient

log = structlog.get_logger()

POLL = 0.25
"""Seconds between looks at the next due time: one indexed row, so thousands of pending timers cost nothing."""
AT_ONCE = 4
"""Deadlines, and jobs, of one process at the same time. Many are due in one moment, such as at close of business."""


@dataclass(frozen=True, slots=True)
class Timer:
    """A deadline or job whose time has come."""

    kind: str
    key: str
    due_at: datetime
    payload: dict[str, Any]
    attempt: int
    traceparent: str | None


Found = Callable[[], None]
"""Called as soon as there is something to do, before it is done."""
Due = Callable[[Connection, Timer], Awaitable[None]]
Work = Callable[[Database, Timer], Awaitable[None]]


@dataclass(frozen=True)
class Job:
    work: Work
    attempts: int
    lease: float
    """Seconds after which a job whose worker died is taken by another."""


SCHEDULE = """
INSERT INTO timer (kind, key, due_at, payload, traceparent) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (kind, key) DO UPDATE
SET due_at = excluded.due_at, payload = excluded.payload, traceparent = excluded.traceparent,
    attempt = 0, given_up_at = NULL, last_error = NULL
"""
# Never wait for one that is firing: its handler may be waiting for rows that we hold.
CANCEL = """
DELETE FROM timer WHERE (kind, key) IN (SELECT kind, key FROM timer WHERE kind = $1 AND key = $2 FOR UPDATE SKIP LOCKED)
"""


async def schedule(
    tx: Connection, kind: str, key: str, due_at: datetime, payload: dict[str, Any] | None = None
) -> None:
    """Fire at `due_at` (aware; not before, normally within a second after) if this transaction commits.

    (kind, key) is unique: scheduling again moves the timer.
    """
    await tx.execute(SCHEDULE, kind, key, due_at, payload or {}, telemetry.traceparent())


async def cancel(tx: Connection, kind: str, key: str) -> None:
    """Forget the timer, if it has not fired.

    One that fires in this very moment is not stopped any more: its handler goes on when this transaction has ended, and
    looks at what it then finds.
    """
    await tx.execute(CANCEL, kind, key)


# MATERIALIZED, or a plan that runs the inner query once for every row would take more timers than it returns.
# `array_position` and not `kind = ANY`: PostgreSQL thinks that equality lets few rows through, and where its statistics
# are old it then sorts everything that is due for each timer it takes; of this it expects much, and walks the index.
TAKE_DUE = """
WITH next AS MATERIALIZED (
    SELECT kind, key FROM timer
    WHERE due_at <= now() AND given_up_at IS NULL AND array_position($1, kind) IS NOT NULL
    ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
DELETE FROM timer t USING next WHERE t.kind = next.kind AND t.key = next.key
RETURNING t.kind, t.key, t.due_at, t.payload, t.attempt + 1 AS attempt, t.traceparent
"""
LEASE = """
WITH next AS MATERIALIZED (
    SELECT kind, key, due_at FROM timer
    WHERE due_at <= now() AND given_up_at IS NULL AND array_position($1, kind) IS NOT NULL
    ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
UPDATE timer t
SET attempt = attempt + 1, due_at = now() + make_interval(secs => ($2::float8[])[array_position($1, t.kind)])
FROM next WHERE t.kind = next.kind AND t.key = next.key
RETURNING t.kind, t.key, next.due_at, t.payload, t.attempt, t.traceparent, t.due_at AS leased_until
"""
PUT_BACK = """
INSERT INTO timer (kind, key, due_at, payload, attempt, traceparent, last_error) VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
# Only whoever still has the lease ends it: meanwhile the job may have been scheduled anew, or taken by another.
DONE = "DELETE FROM timer WHERE kind = $1 AND key = $2 AND due_at = $3"
LATER = """
UPDATE timer SET due_at = $4, last_error = $5, given_up_at = CASE WHEN $6 THEN now() END
WHERE kind = $1 AND key = $2 AND due_at = $3
"""


@dataclass
class Timers:
    """What this service does when a time has come."""

    deadlines: dict[str, Due] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    jobs_at_once: int = AT_ONCE
    """More for a service whose jobs mostly wait for somebody outside."""

    def due(self, kind: str) -> Callable[[Due], Due]:
        """Register a deadline: `async def f(tx, timer)`, in one transaction with the removal of the timer."""

        def register(handler: Due) -> Due:
            self.deadlines[kind] = handler
            return handler

        return register

    def job(self, kind: str, *, attempts: int = 12, lease: float = 60) -> Callable[[Work], Work]:
        """Register a job: `async def f(db, job)`, outside any transaction, at least once: its effect must bear that."""

        def register(work: Work) -> Work:
            self.jobs[kind] = Job(work, attempts, lease)
            return work

        return register

    async def run(self, db: Database) -> None:
        """Until cancelled. A database that is away is waited for."""
        async with asyncio.TaskGroup() as group:
            deadlines, jobs = AT_ONCE if self.deadlines else 0, self.jobs_at_once if self.jobs else 0
            for step, at_once in ((self.fire_next, deadlines), (self.work_next, jobs)):
                turn = asyncio.Lock()
                for _ in range(at_once):
                    group.create_task(_for_ever(partial(step, db), turn))

    async def fire_next(self, db: Database, found: Found = lambda: None) -> bool:
        """Fire the one deadline that is longest due; False if there is none."""
        async with db.transaction() as tx:
            row = await tx.fetchrow(TAKE_DUE, list(self.deadlines))
            if row is None:
                return False
            found()
            try:
                async with tx.transaction():  # a savepoint: a failing handler must not lose the timer
                    await self._fire(tx, Timer(*row))
            except Exception as exc:
                await self._postpone_deadline(tx, Timer(*row), exc)
        return True

    async def _fire(self, tx: Connection, timer: Timer) -> None:
        with telemetry.span(f"timer {timer.kind}", parent=timer.traceparent):
            await self.deadlines[timer.kind](tx, timer)
        telemetry.FIRED.labels(timer.kind).inc()

    async def _postpone_deadline(self, tx: Connection, timer: Timer, exc: Exception) -> None:
        """A deadline is never given up: it is put back, later, loudly."""
        log.exception("timer.failed", kind=timer.kind, attempt=timer.attempt, error=type(exc).__name__)
        again, error = now() + _pause(timer.attempt), type(exc).__name__
        await tx.execute(PUT_BACK, timer.kind, timer.key, again, timer.payload, timer.attempt, timer.traceparent, error)

    async def work_next(self, db: Database, found: Found = lambda: None) -> bool:
        """Do the one job that is longest due; False if there is none."""
        kinds = list(self.jobs)
        row = await db.fetchrow(LEASE, kinds, [self.jobs[kind].lease for kind in kinds])
        if row is None:
            return False
        found()
        *fields, leased_until = row
        timer = Timer(*fields)
        if timer.attempt > self.jobs[timer.kind].attempts:  # the last attempt never came back: it ended its process
            await self._later(db, timer, leased_until, TimeoutError())
            return True
        try:
            with telemetry.span(f"job {timer.kind}", parent=timer.traceparent):
                await self.jobs[timer.kind].work(db, timer)
        except Exception as exc:
            await self._later(db, timer, leased_until, exc)
        else:
            await db.execute(DONE, timer.kind, timer.key, leased_until)
            telemetry.FIRED.labels(timer.kind).inc()
        return True

    async def _later(self, db: Database, timer: Timer, leased_until: datetime, exc: Exception) -> None:
        last = timer.attempt >= self.jobs[timer.kind].attempts
        level = log.error if last else log.warning
        level(
            "job.given_up" if last else "job.failed",
            kind=timer.kind,
            attempt=timer.attempt,
            error=type(exc).__name__,
        )
        if last:
            telemetry.GIVEN_UP.labels(timer.kind).inc()
        again = now() + _pause(timer.attempt)
        await db.execute(LATER, timer.kind, timer.key, leased_until, again, type(exc).__name__, last)


async def _for_ever(step: Callable[[Found], Awaitable[bool]], turn: asyncio.Lock) -> None:
    """Of several that share the turn one looks for work at a time; whoever finds some lets the next one look."""
    while True:
        await turn.acquire()
        ours = True

        def found() -> None:
            nonlocal ours
            ours = False
            turn.release()

        try:
            if not await step(found):
                await asyncio.sleep(POLL)
        except Exception as exc:
            if not is_transient(exc) and not isinstance(exc, asyncpg.PostgresError):
                raise
            log.warning("timers.wait", error=type(exc).__name__)
            await asyncio.sleep(2)
        finally:
            if ours:
                turn.release()


def _pause(attempt: int) -> timedelta:
    """1 s, 2 s, 4 s … at most 30 min, spread so that many failures do not come back together."""
    return timedelta(seconds=min(2.0 ** (attempt - 1), 1800) * random.uniform(0.8, 1.2))  # noqa: S311

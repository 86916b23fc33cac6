"""Making the projection anew while it serves: filled from Kafka, caught up, compared, switched in one transaction.

It reads with the projection's own subscribers, through the projection's own inbox, into tables of another schema; so
whatever is projected is rebuilt, and nothing has to be written twice. Until the switch commits, nothing that serves was
touched: a crash anywhere leaves a shadow behind that the next run throws away.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Literal

import asyncpg

from kit.db import Connection
from kit.inbox import Inbox
from kit.log import Places, opened
from kit.settings import Settings
from services.tracking.projection.counting import store as counting
from services.tracking.projection.store import TABLES
from services.tracking.rebuild import shares, store
from services.tracking.rebuild.domain import Difference, Outcome, Progress, lost_beginnings
from services.tracking.rebuild.reading import Reading

ATTEMPTS = 60
"""Tries to get the locks of the switch, half a second apart."""

Say = Callable[[str], None]


class BeginningLost(Exception):
    """Retention has taken what stood first on these topics; the message names them."""


class Different(Exception):
    """The shadow lacks something, or says something else than what serves. Nothing was switched; it was kept."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(f"{outcome.differs} aggregates differ, {len(outcome.lacking)} lack events")
        self.outcome = outcome


class Busy(Exception):
    """The tables were never free for the switch. Nothing was switched; the shadow was kept."""


class NothingThere(Exception):
    """There is no shadow to switch to, or nothing retired to go back to."""


class Rebuild:
    """One run: a schema that is being filled, from Kafka."""

    def __init__(self, settings: Settings, reading: Reading, say: Say) -> None:
        self.settings, self.reading, self.say = settings, reading, say
        self.conn, self.kafka, self.inbox = reading.conn, reading.kafka, reading.inbox
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    # ── filling ──

    async def fill(self, processes: int) -> None:
        """From Kafka's beginning to what was its end when we began."""
        await store.make_shadow(self.conn)
        first, ends = await self.kafka.first(), await self.kafka.ends()
        await store.come_to(self.conn, "shadow", first)
        async with self._shown(first, ends):
            filled = await shares.fill(self.settings, self.inbox, ends, processes)
        self.reading.events, self.reading.unreadable = filled
        self.say(f"{filled[0]:,} events in {self.seconds:,.0f} s; counting and indexing")
        await counting.recount(self.conn)
        await store.finish_shadow(self.conn)
        await self.go_on()

    @asynccontextmanager
    async def _shown(self, first: Places, ends: Places) -> AsyncIterator[None]:
        """Says once a second how far the shadow has come."""
        showing = asyncio.create_task(self._show(sum(first.values()), sum(ends.values())))
        try:
            yield
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)

    async def _show(self, first: int, end: int) -> None:
        while True:
            await asyncio.sleep(1)
            done = sum((await self._came_to()).values()) - first
            self.say(str(Progress(done, end - first, self.seconds)))

    async def catch_up(self, *, within: int = 2_000) -> None:
        """Read on until fewer than so many events are between us and the end."""
        while sum((ends := await self.kafka.ends()).values()) - sum((await self._came_to()).values()) > within:
            await self.reading.read_to(ends)
        await self.reading.read_to(ends)

    async def go_on(self) -> None:
        """From where this schema's tables had come."""
        self.kafka.seek({**await self.kafka.first(), **await self._came_to()})

    async def _came_to(self) -> Places:
        return await store.came_to(self.conn, self.reading.schema)

    # ── comparing ──

    async def compare(self, beside: Connection) -> tuple[Difference, ...]:
        """What serves and what was made, table by table; only where both have heard the same."""
        found = []
        for table in TABLES:
            self.say(f"comparing {table}")
            if buckets := await store.differing_buckets(beside, table):
                channels = list(self.inbox.subscriptions)
                keys, count, moving = await store.differing_keys(beside, table, buckets, self.inbox.consumer, channels)
                found += [Difference(table, tuple(keys), count, moving)] if count or moving else []
        return tuple(found)

    async def lacking(self) -> list[str]:
        """Aggregates of which live has heard more than Kafka still tells."""
        ahead = await store.ahead(self.conn, self.inbox.consumer)
        if ahead:
            await self.catch_up()
        return await store.not_reached(self.conn, self.inbox.consumer, ahead)

    # ── switching ──

    async def switch(self, source: Literal["shadow", "retired"]) -> float:
        """Everything that live has heard is in the new tables, and from now on they serve; seconds that it took.

        Live keeps projecting until the locks are ours. What it applied it had read from Kafka, so once we have read to
        the end of Kafka under these locks, nothing that it knew is missing here; what it tries meanwhile waits, and
        then finds the new tables, and in them the positions that tell it what they have heard.
        """
        heard = await self.kafka.committed()
        for _ in range(ATTEMPTS):
            await self.catch_up()
            try:
                return await self._switch_now(source, heard)
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
                self.say("the tables are busy: trying again")
                await asyncio.sleep(0.5)
                await self.go_on()
        raise Busy

    async def _switch_now(self, source: Literal["shadow", "retired"], heard: Places) -> float:
        async with self.conn.transaction():
            await store.hold_projection(self.conn)
            began = time.monotonic()
            await self.reading.read_to(await self.kafka.ends())
            await store.switch(self.conn, source, heard)
        return time.monotonic() - began


@asynccontextmanager
async def prepared(settings: Settings, inbox: Inbox, schema: store.Schema, say: Say) -> AsyncIterator[Rebuild]:
    """Alone with the database's owner's rights; raises RebuildRunning."""
    async with (
        store.connected(settings.migration_url, schema) as conn,
        opened(settings, inbox.consumer, inbox.subscriptions) as kafka,
    ):
        await store.only_one(conn)
        yield Rebuild(settings, Reading(conn, kafka, inbox, schema), say)


async def rebuild(
    settings: Settings,
    inbox: Inbox,
    *,
    keep_shadow: bool = False,
    dry_run: bool = False,
    accept_differences: bool = False,
    accept_lost: bool = False,
    compare: bool = True,
    processes: int = 1,
    say: Say,
) -> Outcome:
    """Everything anew from Kafka, and compared; then switched, unless only the shadow or the comparison is wanted."""
    async with prepared(settings, inbox, "shadow", say) as work:
        compacted = frozenset(name for name, s in inbox.subscriptions.items() if s.channel.compacted)
        lost = lost_beginnings(await work.kafka.first(), compacted)
        if lost and not accept_lost:
            raise BeginningLost(", ".join(lost))
        await work.fill(processes)
        await work.catch_up()
        outcome = await _judged(settings, work, lost, compare=compare)
        if not (keep_shadow or dry_run):
            outcome = await _switched(work, outcome, accept_differences=accept_differences)
        if dry_run:
            await store.drop(work.conn, "shadow")
        return outcome


async def switch_kept(settings: Settings, inbox: Inbox, *, accept_differences: bool = False, say: Say) -> Outcome:
    """Switch to a shadow that was kept, after it has caught up."""
    async with prepared(settings, inbox, "shadow", say) as work:
        if not await store.exists(work.conn, "shadow"):
            raise NothingThere("no shadow is kept: run the rebuild with --keep-shadow first")
        await work.go_on()
        await work.catch_up()
        return await _switched(work, await _judged(settings, work, ()), accept_differences=accept_differences)


async def roll_back(settings: Settings, inbox: Inbox, *, say: Say) -> Outcome:
    """What served before the last switch serves again, with what has happened since."""
    async with prepared(settings, inbox, "retired", say) as work:
        if not await store.exists(work.conn, "retired"):
            raise NothingThere("nothing is retired: there was no rebuild to roll back")
        await work.go_on()
        await work.catch_up()
        held = await work.switch("retired")
        return Outcome(work.reading.events, work.seconds, work.reading.unreadable, switched=True, held=held)


async def _judged(settings: Settings, work: Rebuild, lost: tuple[str, ...], *, compare: bool = True) -> Outcome:
    filled = work.seconds
    if not compare:
        return Outcome(work.reading.events, filled, work.reading.unreadable, lost)
    lacking = tuple(await work.lacking())
    async with store.connected(settings.migration_url, "public") as beside:
        differences = await work.compare(beside)
    return Outcome(work.reading.events, filled, work.reading.unreadable, lost, lacking, differences, compared=True)


async def _switched(work: Rebuild, found: Outcome, *, accept_differences: bool) -> Outcome:
    if (found.differs or found.lacking) and not accept_differences:
        raise Different(found)
    held = await work.switch("shadow")
    return replace(found, events=work.reading.events, unreadable=work.reading.unreadable, switched=True, held=held)

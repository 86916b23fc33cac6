"""Delivers: each process has some of the subscriptions' lines, and sends what they let go.

A line belongs to one process at a time by a lease with a growing epoch; what a process stores under an old epoch is
not taken. A crash repeats what was sent in the last moments, with the same ids, and nothing else.
"""

import asyncio
import contextlib
import hashlib
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import asyncpg
import structlog
from opentelemetry.trace import SpanKind
from prometheus_client import Counter, Gauge, Histogram

from kit import ids, telemetry
from kit.clock import now
from kit.db import Database, is_transient
from services.notification.systems.delivery import store
from services.notification.systems.delivery.domain import Accepted, Deferred, Destination, Outcome, Trouble
from services.notification.systems.delivery.feed import BATCH, Feed
from services.notification.systems.delivery.line import Changes, Item, Line, item_of
from services.notification.systems.delivery.store import Lease, News
from services.notification.systems.journal import store as journal
from services.notification.systems.subscriptions import store as subscriptions
from services.notification.systems.subscriptions.domain import Reason, Subscription

log = structlog.get_logger()

DELIVERED = Counter("motcua_deliveries_total", "Requests to other systems", ["kind", "outcome"])
GIVEN_UP = Counter("motcua_deliveries_given_up_total", "Events that another system never took", ["kind"])
DISABLED = Counter("motcua_subscriptions_disabled_total", "Subscriptions that ended by themselves", ["reason"])
LATENCY = Histogram(
    "motcua_delivery_seconds", "From keeping an event to its first acceptance by one subscriber", ["kind"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30, 300, 3600),
)  # fmt: skip
BEHIND = Gauge("motcua_subscription_behind", "Journal entries that a subscription has not been through", ["name"])

LEASE = timedelta(seconds=10)
MARGIN = 3.0
"""Seconds before a lease's end from which nothing more is sent under it."""
SYNC = 1.0
LATELY = timedelta(seconds=5)
"""Who was not seen for longer has no share."""
POLL, IDLE_POLL = 0.02, 0.1
"""Seconds between looks at the journal, while events come and otherwise."""
BUSY_FOR = 2.0
LOOK_AT_ROWS = 0.2
GATHER = 0.02
"""Seconds that outcomes wait for company before they are stored."""
FAREWELL = 5.0
"""Seconds that requests under way get when the process ends."""

Open = Callable[[Database, Subscription], Awaitable[Destination | None]]
"""Makes the destination of a subscription; None if it may not be delivered to any more."""
Agency = Callable[[str], str | None]
"""The agency of a subscriber, None for one that is not in the registry."""


class Engine:
    """One process's share of all deliveries."""

    def __init__(self, destinations: Mapping[str, Open], agency: Agency) -> None:
        self._destinations, self._agency = destinations, agency
        self._id = ids.new()
        self._lines: dict[UUID, Line] = {}
        self._leased_until = 0.0
        self._feed: Feed | None = None
        self._dirty = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()
        self._storing = asyncio.Lock()
        self._rows_looked_at = self._busy_until = 0.0

    async def run(self, db: Database) -> None:
        """Until cancelled; then what is under way is waited for, and the lines are free for others at once."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_for_ever(lambda: self._sync(db)))
                group.create_task(_for_ever(lambda: self._pump(db)))
                group.create_task(_for_ever(lambda: self._store(db)))
        finally:
            await self._end(db)

    async def _end(self, db: Database) -> None:
        for line in self._lines.values():
            line.stopped = True
        if self._sending:
            await asyncio.wait(self._sending, timeout=FAREWELL)
        for task in self._sending:
            task.cancel()
        try:
            await self._save(db)
            await store.release(db, self._lines.values())
            await store.leave(db, self._id)
        except Exception as exc:
            if not is_transient(exc):
                raise
            log.warning("deliveries.not_released", error=type(exc).__name__)

    # ── which lines are ours ──

    async def _sync(self, db: Database) -> None:
        """Take our share of the lines, and let go of what is not ours any more or was changed."""
        began = time.monotonic()
        couriers = await store.seen(db, self._id, LATELY)
        active = {s.id: s for s in await subscriptions.active(db) if _mine(s.id, self._id, couriers)}
        for line in self._lines.values():
            wanted = active.get(line.subscription.id)
            line.stopped |= wanted is None or wanted.version != line.subscription.version
        await self._let_go(db)
        kept = await store.renew(db, self._lines.values(), LEASE)
        for lost in [line for key, line in self._lines.items() if key not in kept]:
            self._lose(lost)
        await self._take(db, [s for s in active.values() if s.id not in self._lines])
        self._leased_until = began + LEASE.total_seconds() - MARGIN
        await asyncio.sleep(SYNC)

    async def _let_go(self, db: Database) -> None:
        """Lines that send nothing more and have stored everything."""
        ended = [line for line in self._lines.values() if line.stopped and not line.in_flight and not line.has_news]
        if ended:
            await store.release(db, ended)
        for line in ended:
            self._lose(line)

    def _lose(self, line: Line) -> None:
        """It is somebody else's, or nobody's: what is under way may end, nothing more is sent."""
        line.stopped = True
        if self._lines.get(line.subscription.id) is line:
            del self._lines[line.subscription.id]

    async def _take(self, db: Database, wanted: Sequence[Subscription]) -> None:
        leases = await store.claim(db, self._id, [s.id for s in wanted], LEASE) if wanted else []
        if not leases:
            return
        by_id = {s.id: s for s in wanted}
        if self._feed is None:
            self._feed = Feed(await db.fetchval(journal.END))
        blocked = await store.blocked(db, [lease.subscription_id for lease in leases])
        for lease in leases:
            await self._open(db, by_id[lease.subscription_id], lease, blocked[lease.subscription_id])

    async def _open(
        self, db: Database, subscription: Subscription, lease: Lease, blocked: set[tuple[str, str]]
    ) -> None:
        agency = self._agency(subscription.subscriber)
        try:
            destination = await self._destinations[subscription.kind](db, subscription) if agency is not None else None
        except Exception as exc:  # one that cannot be opened is nobody else's trouble; it is tried again
            if is_transient(exc):
                raise
            log.exception("subscription.not_opened", name=str(subscription.id), error=type(exc).__name__)
            return
        if agency is None or destination is None:
            log.error("subscription.disabled", name=str(subscription.id), reason=Reason.NOT_AGREED)
            DISABLED.labels(Reason.NOT_AGREED).inc()
            await subscriptions.disable(db, subscription.id, Reason.NOT_AGREED)
            return
        self._lines[subscription.id] = Line(
            subscription, agency, destination, epoch=lease.epoch, position=lease.position,
            replay_until=lease.replay_until, failing_since=lease.failing_since, blocked=blocked,
        )  # fmt: skip

    # ── what goes out ──

    async def _pump(self, db: Database) -> None:
        """Read what is new, give each line what is for it, and send what may be sent."""
        if not self._feed or not self._lines:
            await asyncio.sleep(IDLE_POLL)
            return
        before = self._feed.end
        more = await self._feed.read(db)
        for line in list(self._lines.values()):
            more |= await self._fill(db, line, self._feed)
        await self._take_rows(db)
        for line in list(self._lines.values()):
            self._send_next(db, line)
        if self._feed.end != before:
            self._busy_until = time.monotonic() + BUSY_FOR
        if not more:
            await asyncio.sleep(POLL if time.monotonic() < self._busy_until else IDLE_POLL)

    async def _fill(self, db: Database, line: Line, feed: Feed) -> bool:
        """Give the line what follows; whether there may be more for it at once."""
        if line.reading >= feed.end or not line.has_room(now()):
            return False
        entries = await feed.after(db, line.reading)
        items = [item_of(entry, replayed=entry.seq <= line.replay_until) for entry in entries if line.wants(entry)]
        items = await _with_previous(db, line, items)
        if entries:
            line.take(items, entries[-1].seq)
        return len(entries) == BATCH

    async def _take_rows(self, db: Database) -> None:
        """Now and then: what is to be tried again. Not while outcomes are stored: what is done would be sent twice."""
        if time.monotonic() < self._rows_looked_at + LOOK_AT_ROWS:
            return
        self._rows_looked_at = time.monotonic()
        async with self._storing:
            lines = {line.subscription.id: line for line in self._lines.values() if line.has_room(now())}
            at_most = {key: 2 * line.subscription.at_once for key, line in lines.items()}
            due: dict[UUID, list[Item]] = {}
            for subscription, item in await store.due(db, at_most) if at_most else []:
                due.setdefault(subscription, []).append(item)
            for key, items in due.items():
                lines[key].take_rows(await _with_previous(db, lines[key], items))

    def _send_next(self, db: Database, line: Line) -> None:
        while time.monotonic() < self._leased_until and (item := line.next(now())):
            task = asyncio.create_task(self._send(db, line, item))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send(self, db: Database, line: Line, item: Item) -> None:
        at, began = now(), time.monotonic()
        outcome = await _deliver(line, item)
        took = timedelta(seconds=time.monotonic() - began)
        line.settle(item, outcome, at, took, now(), random.random())  # noqa: S311
        _observe(line, item, outcome)
        self._dirty.set()
        self._send_next(db, line)

    # ── what is remembered ──

    async def _store(self, db: Database) -> None:
        """Store what became of everything since the last time; events that concern nobody move the lines too."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SYNC):  # wait_for of Python 3.11 loses a cancellation that comes with the event
                await self._dirty.wait()
        await asyncio.sleep(GATHER)
        self._dirty.clear()
        await self._save(db)

    async def _save(self, db: Database) -> None:
        async with self._storing:
            news = [_news(line) for line in self._lines.values() if line.has_news]
            if not news:
                return
            try:
                free = await store.save(db, news)
            except BaseException:
                for one in news:
                    _take_back(one)
                raise
            for one in news:
                self._stored(one, free.get(one.line.subscription.id))

    def _stored(self, news: News, free: set[tuple[str, str]] | None) -> None:
        line = news.line
        if free is None:  # somebody else has the line, or turned it back
            self._lose(line)
            return
        line.stored_position, line.stored_failing_since = news.position, news.failing_since
        line.flushed(news.changes, free)
        BEHIND.labels(str(line.subscription.id)).set(max(self._feed.end - news.position, 0) if self._feed else 0)
        _alarm(line, news.changes)


async def _with_previous(db: Database, line: Line, items: list[Item]) -> list[Item]:
    """With the versions that were sent before these: the numbers before, unless types are passed over."""
    types = line.subscription.filters.types
    if not items:
        return items
    if types:
        events = [(*item.unit, item.outgoing.version) for item in items]
        before: Sequence[int | None] = await store.previous_versions(db, events, types)
    else:
        before = [item.outgoing.version - 1 or None for item in items]
    return [
        replace(item, outgoing=replace(item.outgoing, previous_version=version))
        for item, version in zip(items, before, strict=True)
    ]


def _mine(subscription: UUID, courier: UUID, couriers: Iterable[UUID]) -> bool:
    """Whether this process should have it: each asks the same of everybody, so that few lines move when one comes."""
    return max(couriers, key=lambda other: hashlib.blake2b(subscription.bytes + other.bytes).digest()) == courier


async def _deliver(line: Line, item: Item) -> Outcome:
    try:
        with _span(line, item):
            return await line.destination.deliver(item.outgoing, item.attempt)
    except Exception as exc:
        log.exception("delivery.failed", kind=line.subscription.kind, error=type(exc).__name__)
        return Deferred(Trouble.OURS)


def _span(line: Line, item: Item) -> contextlib.AbstractContextManager[object]:
    """In the trace of what caused the event, if anybody collects traces: even unseen spans cost a sixth of it all."""
    if not telemetry.is_tracing():
        return contextlib.nullcontext()
    name, outgoing = f"deliver {line.subscription.kind}", item.outgoing
    return telemetry.span(name, parent=outgoing.traceparent, kind=SpanKind.PRODUCER, type=outgoing.ce_type)


def _observe(line: Line, item: Item, outcome: Outcome) -> None:
    DELIVERED.labels(line.subscription.kind, type(outcome).__name__.lower()).inc()
    if isinstance(outcome, Accepted) and not item.outgoing.replayed:
        LATENCY.labels(line.subscription.kind).observe((now() - item.outgoing.occurred_at).total_seconds())


def _alarm(line: Line, changes: Changes) -> None:
    """Somebody should look: an event was given up, or the whole subscription."""
    name, kind = str(line.subscription.id), line.subscription.kind
    for row in changes.rows:
        if row.given_up_at:
            GIVEN_UP.labels(kind).inc()
            log.error("delivery.given_up", name=name, kind=kind, type=row.item.outgoing.ce_type, attempt=row.attempts)
    if changes.disabled:
        DISABLED.labels(changes.disabled).inc()
        log.error("subscription.disabled", name=name, kind=kind, reason=changes.disabled)


def _news(line: Line) -> News:
    changes, line.changes = line.changes, Changes()
    return News(line, changes, line.position, line.failing_since)


def _take_back(news: News) -> None:
    """It could not be stored: it is part of the next changes."""
    before, since = news.changes, news.line.changes
    news.line.changes = Changes(
        before.attempts + since.attempts, before.rows + since.rows, before.done + since.done,
        before.hasten or since.hasten, before.disabled or since.disabled,
    )  # fmt: skip


async def _for_ever(step: Callable[[], Awaitable[None]]) -> None:
    """Whatever is away is waited for."""
    while True:
        try:
            await step()
        except Exception as exc:
            if not is_transient(exc) and not isinstance(exc, asyncpg.PostgresError):
                raise
            log.warning("deliveries.wait", error=type(exc).__name__)
            await asyncio.sleep(1)

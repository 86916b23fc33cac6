"""The inbox: every event is applied once, in the order of its aggregate, or put where a person finds it.

A batch of records is one transaction. For each aggregate the database remembers the last version applied
(`inbox_position`), under a row lock: an older or equal version was heard before and is skipped; a later one than the
next waits (is parked) until the missing ones have come. Offsets are committed after the transaction, so a crash in
between only repeats what is skipped.

- *Transient* trouble (a server away): wait, rewind, read again.
- *Poison* (an invalid body, a subscriber that cannot apply it): to `<consumer>.<channel>.dlq`, bytes unchanged.
- *Unknown type*: ignored and counted; newer publishers may say more than we know.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

import asyncpg
import structlog
from opentelemetry.trace import SpanKind
from pydantic import ValidationError
from pydantic_core import from_json

from contracts.envelope import Channel, Event
from kit import outbox, telemetry
from kit.clock import now
from kit.db import Connection, Database, is_transient, may_retry

log = structlog.get_logger()


class Record(Protocol):
    """What we read of a Kafka record (aiokafka's ConsumerRecord has it)."""

    @property
    def topic(self) -> str: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Poison(Exception):
    """This record can never be applied, however often it is tried."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A record that was understood."""

    channel: Channel
    key: str
    version: int
    event: Event | None
    """None for a type that we do not know."""
    headers: dict[str, str]
    payload: bytes

    @property
    def aggregate(self) -> tuple[str, str]:
        return self.channel.name, self.key

    @property
    def cause(self) -> outbox.Cause:
        event_id = self.headers.get("ce_id", "")
        return outbox.Cause(event_id, self.headers.get("ce_correlationid", event_id))


@dataclass(frozen=True, slots=True)
class Freed:
    """A record that had been parked."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


@dataclass(slots=True)
class Position:
    """How far one aggregate was heard."""

    version: int
    parked: int
    is_new: bool = False
    """Nothing was heard of it before: there is no row to lock yet."""


One = Callable[[Connection, Any], Awaitable[None]]
Keep = Callable[[Connection, Sequence[Letter]], Awaitable[None]]
F = TypeVar("F", bound=One)


@dataclass(frozen=True)
class Subscription:
    """A subscriber function and the channel that it hears."""

    channel: Channel
    handler: One
    batch: bool


class Inbox:
    """All that one consumer (the service) hears; the consumer's name is its Kafka group."""

    def __init__(self, consumer: str) -> None:
        self.consumer = consumer
        self.subscriptions: dict[str, Subscription] = {}
        self.erasers: dict[str, Callable[[Connection, str], Awaitable[None]]] = {}
        self.keeper: Keep | None = None

    def hears(self, channel: Channel, *, batch: bool = False) -> Callable[[F], F]:
        """Register a subscriber: `async def on_x(tx, event)`, or with `batch`, `async def on_xs(tx, events)`."""

        def register(handler: F) -> F:
            assert channel.name not in self.subscriptions, f"{self.consumer} hears {channel.name} already"  # noqa: S101
            self.subscriptions[channel.name] = Subscription(channel, handler, batch)
            return handler

        return register

    def forgets(self, channel: Channel) -> Callable[[Callable[[Connection, str], Awaitable[None]]], Any]:
        """Register what to do when a tombstone erases an aggregate of a compacted channel: `async def f(tx, key)`."""

        def register(handler: Callable[[Connection, str], Awaitable[None]]) -> Any:
            self.erasers[channel.name] = handler
            return handler

        return register

    def keeps(self, keeper: Keep) -> Keep:
        """Register who keeps records as they came: `async def f(tx, letters)`, once a transaction, after all its
        subscribers, in order and with those of unknown types."""
        self.keeper = keeper
        return keeper

    async def consume(self, db: Database, records: Sequence[Record], bury: "Bury") -> None:
        """Apply these records; what can never be applied is handed to `bury`. Raises only for transient trouble."""
        try:
            await self._in_one_transaction(db, records)
        except Exception as exc:
            if is_transient(exc) and not may_retry(exc):
                raise
            log.warning("inbox.one_by_one", error=type(exc).__name__, count=len(records))
            await self._one_by_one(db, records, bury)

    async def _one_by_one(self, db: Database, records: Sequence[Record], bury: "Bury") -> None:
        for record in records:
            if await self._alone(db, record, bury):
                await self._free(db, record, bury)

    async def _alone(self, db: Database, record: Record, bury: "Bury") -> bool:
        """Apply this record and nothing that waits for it; False if it had to be buried."""
        try:
            await self._in_one_transaction(db, [record], freeing=False)
        except Exception as exc:
            if is_transient(exc):
                raise
            log.error("inbox.dead_letter", channel=record.topic, error=type(exc).__name__)
            await bury(record, exc)
            telemetry.DEAD.labels(record.topic).inc()
            return False
        return True

    async def _free(self, db: Database, before: Record, bury: "Bury") -> None:
        """Apply what waited for this record, each alone: poison among it condemns nothing but itself."""
        aggregate = (self.consumer, before.topic, (before.key or b"").decode())
        going = True
        while going and (row := await db.fetchrow(FREED, *aggregate)):
            going = await self._alone(db, Freed(before.topic, before.key, row["payload"], _raw(row["headers"])), bury)
            await db.execute(DROP, *aggregate, row["version"])

    async def _in_one_transaction(self, db: Database, records: Sequence[Record], *, freeing: bool = True) -> None:
        letters = [letter for letter in map(self.read, records) if letter]
        async with db.transaction() as tx:
            await self.take(tx, records, letters, freeing=freeing)

    async def take(
        self, tx: Connection, records: Sequence[Record], letters: Sequence[Letter], *, freeing: bool = True
    ) -> None:
        """Inside the caller's transaction: apply these records, of which `letters` is what was understood."""
        await self.apply(tx, letters, freeing=freeing)
        for record in records:
            if record.value is None:
                await self._erase(tx, record)

    def read(self, record: Record) -> Letter | None:
        """What the record says; None for a tombstone. Raises Poison."""
        subscription = self.subscriptions[record.topic]
        if record.value is None:
            return None
        return read(subscription.channel, record.key, record.value, record.headers)

    async def _erase(self, tx: Connection, record: Record) -> None:
        subscription = self.subscriptions[record.topic]
        if not subscription.channel.compacted or record.key is None:
            raise Poison("a record without a value")
        if eraser := self.erasers.get(record.topic):
            await eraser(tx, record.key.decode())

    async def apply(self, tx: Connection, letters: Sequence[Letter], *, freeing: bool = True) -> None:
        """Inside the caller's transaction: what is next is applied (with what waited for it, when `freeing`), the rest
        is skipped or parked."""
        positions = await _lock(tx, self.consumer, letters)
        ready: list[Letter] = []
        for letter in letters:
            position = positions[letter.aggregate]
            if letter.version <= position.version:
                telemetry.DUPLICATES.labels(letter.channel.name).inc()
            elif letter.version == position.version + 1 or letter.channel.compacted:
                ready.append(letter)
                position.version = letter.version
            else:
                position.parked += await _park(tx, self.consumer, letter)
            if position.parked and freeing:
                ready += await self._unpark(tx, letter, position)
        await self._deliver(tx, ready)
        await _save(tx, self.consumer, positions)

    async def _unpark(self, tx: Connection, before: Letter, position: Position) -> list[Letter]:
        """The parked events that follow now without a gap."""
        found = []
        for row in await tx.fetch(PARKED, self.consumer, before.channel.name, before.key, position.version):
            if row["version"] != position.version + 1:
                break
            found.append(read(before.channel, before.key.encode(), row["payload"], _raw(row["headers"])))
            position.version, position.parked = row["version"], position.parked - 1
        await tx.execute(UNPARK, self.consumer, before.channel.name, before.key, position.version)
        return found

    async def _deliver(self, tx: Connection, letters: Sequence[Letter]) -> None:
        """Runs of one channel go to its subscriber together if it takes batches, else one by one, in order."""
        known = [letter for letter in letters if letter.event]
        _count(letters)
        for name in dict.fromkeys(letter.channel.name for letter in known):
            subscription = self.subscriptions[name]
            theirs = [letter for letter in known if letter.channel.name == name]
            await (_deliver_batch if subscription.batch else _deliver_each)(tx, subscription, theirs)
        if self.keeper and letters:
            await self.keeper(tx, letters)


def _count(letters: Sequence[Letter]) -> None:
    said: dict[str, datetime] = {}
    for letter in letters:
        if letter.event and letter.channel.name not in said:
            said[letter.channel.name] = letter.event.occurred_at
    for channel, moment in said.items():
        telemetry.LAG.labels(channel).observe((now() - moment).total_seconds())
    for (channel, event), n in Counter((letter.channel.name, type(letter.event)) for letter in letters).items():
        if event is type(None):
            telemetry.IGNORED.labels(channel).inc(n)
        else:
            telemetry.APPLIED.labels(channel, event.__name__).inc(n)


Bury = Callable[[Record, Exception], Awaitable[None]]


def read(channel: Channel, key: bytes | None, value: bytes, raw_headers: Sequence[tuple[str, bytes]]) -> Letter:
    """Understand a record, or raise Poison: the header names the type, the body must fit it."""
    try:
        headers = {name: raw.decode() for name, raw in raw_headers}
        named = channel.event_named(headers["ce_type"])
        event = named.model_validate_json(value) if named else None
        version = event.version if event else int(headers.get("ce_aggregateversion") or from_json(value)["version"])
        if (
            key is None
            or headers.get("ce_source") != channel.source
            or (event and channel.key_of(event) != key.decode())
        ):
            raise Poison("the key or the source is not the channel's")
        return Letter(channel, key.decode(), version, event, headers, value)
    except (KeyError, ValueError, TypeError, AttributeError, ValidationError) as exc:
        raise Poison(f"not an event of {channel.name}: {type(exc).__name__}") from exc


async def _deliver_each(tx: Connection, subscription: Subscription, letters: Sequence[Letter]) -> None:
    for letter in letters:
        name = f"{subscription.handler.__name__} {type(letter.event).__name__}"
        token = outbox.cause.set(letter.cause)
        try:
            with telemetry.span(name, parent=letter.headers.get("traceparent"), kind=SpanKind.CONSUMER):
                await subscription.handler(tx, letter.event)
        finally:
            outbox.cause.reset(token)


async def _deliver_batch(tx: Connection, subscription: Subscription, letters: Sequence[Letter]) -> None:
    tracing = telemetry.is_tracing()
    parents = telemetry.links([letter.headers.get("traceparent") for letter in letters]) if tracing else []
    with telemetry.span(subscription.handler.__name__, kind=SpanKind.CONSUMER, links=parents):
        await subscription.handler(tx, [letter.event for letter in letters])


# ── positions ─────────────────────────────────────────────────────────────────────────────────────────────────

OPEN = """
INSERT INTO inbox_position (consumer, channel, key, version, parked)
SELECT $1, u.* FROM unnest($2::text[], $3::text[], $4::int[], $5::int[]) AS u (channel, key, version, parked)
ORDER BY channel, key
"""
# The two below are written so that PostgreSQL can only go by key, row by row in the order given: a join with the table
# became one with all of a consumer's rows wherever the planner had no statistics yet, and took seconds a batch.
LOCK = """
SELECT p.* FROM unnest($2::text[], $3::text[]) AS u (channel, key) CROSS JOIN LATERAL (
    SELECT channel, key, version, parked FROM inbox_position
    WHERE consumer = $1 AND channel = u.channel AND key = u.key FOR UPDATE) AS p
"""
SAVE = """
INSERT INTO inbox_position (consumer, channel, key, version, parked)
SELECT $1, u.* FROM unnest($2::text[], $3::text[], $4::int[], $5::int[]) AS u
ON CONFLICT (consumer, channel, key) DO UPDATE SET version = excluded.version, parked = excluded.parked
"""
PARK = """
INSERT INTO inbox_parked (consumer, channel, key, version, headers, payload) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING
"""
PARKED = """
SELECT version, headers, payload FROM inbox_parked
WHERE consumer = $1 AND channel = $2 AND key = $3 AND version > $4 ORDER BY version
"""
OLDEST_PARKED = "SELECT coalesce(extract(epoch FROM now() - min(parked_at)), 0)::float FROM inbox_parked"
LONG_PARKED = 60.0
"""Seconds after which a gap is no matter of order any more: something is missing."""
FREED = """
SELECT q.version, q.headers, q.payload FROM inbox_parked q JOIN inbox_position p USING (consumer, channel, key)
WHERE q.consumer = $1 AND q.channel = $2 AND q.key = $3 AND q.version = p.version + 1
"""
DROP = """
WITH gone AS (
    DELETE FROM inbox_parked WHERE consumer = $1 AND channel = $2 AND key = $3 AND version = $4 RETURNING version)
UPDATE inbox_position SET parked = parked - (SELECT count(*) FROM gone)
WHERE consumer = $1 AND channel = $2 AND key = $3
"""
UNPARK = "DELETE FROM inbox_parked WHERE consumer = $1 AND channel = $2 AND key = $3 AND version <= $4"


async def _lock(tx: Connection, consumer: str, letters: Sequence[Letter]) -> dict[tuple[str, str], Position]:
    """The position of each aggregate of the batch, locked in one order everywhere so that no two batches deadlock."""
    aggregates = sorted({letter.aggregate for letter in letters})
    names, keys = [a[0] for a in aggregates], [a[1] for a in aggregates]
    rows = await tx.fetch(LOCK, consumer, names, keys)
    found = {(row["channel"], row["key"]): Position(row["version"], row["parked"]) for row in rows}
    return {aggregate: found.get(aggregate) or Position(0, 0, is_new=True) for aggregate in aggregates}


def _raw(headers: dict[str, str]) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in headers.items()]


async def _park(tx: Connection, consumer: str, letter: Letter) -> int:
    """Keep an event that came too early; 1 if it is new here."""
    done = await tx.execute(
        PARK, consumer, letter.channel.name, letter.key, letter.version, letter.headers, letter.payload
    )
    if done.endswith(" 0"):
        return 0
    log.error("inbox.gap", channel=letter.channel.name, version=letter.version)
    telemetry.PARKED.labels(letter.channel.name).inc()
    return 1


async def _save(tx: Connection, consumer: str, positions: dict[tuple[str, str], Position]) -> None:
    """Of two that hear of a new aggregate at once, the second finds its row there, and begins anew."""
    try:
        await _write(tx, OPEN, consumer, {a: p for a, p in positions.items() if p.is_new})
    except asyncpg.UniqueViolationError:
        raise asyncpg.SerializationError("heard by another at the same time") from None
    await _write(tx, SAVE, consumer, {a: p for a, p in positions.items() if not p.is_new})


async def _write(tx: Connection, statement: str, consumer: str, positions: dict[tuple[str, str], Position]) -> None:
    if positions:
        columns = zip(*[(*a, p.version, p.parked) for a, p in positions.items()], strict=True)
        await tx.execute(statement, consumer, *map(list, columns))

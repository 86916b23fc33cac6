"""The outbox: an event is recorded in the transaction of its cause, and carried to Kafka afterwards by the relay.

Rows are marked when Kafka has acknowledged them and kept as the archive of everything this service ever said. A crash
at any point repeats events at worst (with the same `ce_id` and version), and never loses or reorders those of one
aggregate: whoever records an event holds the aggregate's row lock, so its ids grow in the order of commits.
"""

import asyncio
import ssl
import zlib
from collections import Counter
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError
from opentelemetry.trace import SpanKind
from pydantic_core import from_json

from contracts.envelope import Channel, Event
from kit import ids, telemetry
from kit.clock import now
from kit.db import SESSION, Connection, is_transient
from kit.settings import Settings

log = structlog.get_logger()

SLOTS = 16
"""Each aggregate belongs to one slot; a slot is carried by one relay at a time."""
BATCH = 1000
POLL = 0.008
"""Seconds between looks while events are coming."""
WATCH = 1.0
"""Seconds between looks while asleep; only a wake-up lost in a race waits for it."""
LOCK = 0x6F757462  # "outb": first key of the advisory locks, the slot is the second


@dataclass(frozen=True)
class Cause:
    """Which event made us do what we do now."""

    event_id: str
    correlation_id: str


cause: ContextVar[Cause | None] = ContextVar("cause", default=None)

# The notification is sent only when a relay said that it sleeps: see kit/migrations/0001.
RECORD = """
WITH recorded AS (
    INSERT INTO outbox (slot, channel, key, version, event_id, type, headers, payload)
    SELECT slot, channel, key, version, event_id, type, headers, payload
    FROM unnest($1::smallint[], $2::text[], $3::text[], $4::int[], $5::uuid[], $6::text[], $7::jsonb[], $8::bytea[])
         WITH ORDINALITY AS u (slot, channel, key, version, event_id, type, headers, payload, n)
    ORDER BY n
)
SELECT pg_notify('outbox', '') FROM outbox_relay WHERE asleep
"""


async def record(tx: Connection, channel: Channel, *events: Event) -> None:
    """Say these events, in this order, when (and only when) the transaction commits.

    The caller holds the row lock of the aggregate; versions go on where its history ended.
    """
    await _insert(tx, channel, [_row(channel, event) for event in events])


async def erase(tx: Connection, channel: Channel, key: str) -> None:
    """Publish a tombstone: on a compacted channel Kafka forgets everything about this aggregate."""
    await _insert(tx, channel, [(_slot(key), channel.name, key, 0, ids.new(), "tombstone", {}, None)])


async def _insert(tx: Connection, channel: Channel, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        await tx.execute(RECORD, *(list(column) for column in zip(*rows, strict=True)))


def _row(channel: Channel, event: Event) -> tuple[Any, ...]:
    key, event_id = channel.key_of(event), ids.new()
    headers = _headers(channel, event, str(event_id), key)
    return (
        _slot(key),
        channel.name,
        key,
        event.version,
        event_id,
        headers["ce_type"],
        headers,
        event.model_dump_json().encode(),
    )


def _slot(key: str) -> int:
    return zlib.crc32(key.encode()) % SLOTS


def _headers(channel: Channel, event: Event, event_id: str, key: str) -> dict[str, str]:
    """CloudEvents 1.0 attributes in Kafka's binary mode."""
    because, parent = cause.get(), telemetry.traceparent()
    return {
        "ce_specversion": "1.0",
        "ce_id": event_id,
        "ce_type": channel.type_of(type(event)),
        "ce_source": channel.source,
        "ce_subject": key,
        "ce_time": now().isoformat().replace("+00:00", "Z"),
        "ce_dataschema": channel.schema_of(type(event)),
        "ce_partitionkey": key,
        "ce_aggregateversion": str(event.version),
        "ce_correlationid": because.correlation_id if because else event_id,
        **({"ce_causationid": because.event_id} if because else {}),
        **({"traceparent": parent} if parent else {}),
        "content-type": "application/json",
    }


# ── the relay ─────────────────────────────────────────────────────────────────────────────────────────────────

PENDING = """
SELECT id, created_at, channel, key, headers, payload FROM outbox
WHERE published_at IS NULL AND id > $1 AND slot = ANY($2)
  AND NOT EXISTS (SELECT FROM outbox_quarantine q WHERE q.channel = outbox.channel AND q.key = outbox.key)
ORDER BY id LIMIT $3
"""
MARK = "UPDATE outbox SET published_at = now() WHERE created_at BETWEEN $1 AND $2 AND id = ANY($3)"
SLEEP = "UPDATE outbox_relay SET asleep = $1 WHERE asleep <> $1"
QUARANTINE = "INSERT INTO outbox_quarantine (channel, key, id, reason) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
OLDEST = """
SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0)::float FROM outbox
WHERE published_at IS NULL
  AND NOT EXISTS (SELECT FROM outbox_quarantine q WHERE q.channel = outbox.channel AND q.key = outbox.key)
"""

HOPELESS = (MessageSizeTooLargeError, RecordListTooLargeError)
"""Errors of a record that no retry mends. (A right that is missing is mended by whoever gives it: that is waited for.)
"""

Row = asyncpg.Record


def security(settings: Settings) -> dict[str, Any]:
    """How every Kafka client of ours logs in."""
    if not settings.kafka_username:
        return {}
    return {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": settings.kafka_username,
        "sasl_plain_password": settings.kafka_password,
        "ssl_context": ssl.create_default_context(cafile=settings.kafka_ca or None),
    }


LARGEST = 2 * 1024 * 1024
"""Bytes of the largest record that a dead letter topic must take: Kafka's usual limit, and what we say about it."""


def producer(settings: Settings) -> AIOKafkaProducer:
    """A producer whose acknowledgement means: on all in-sync replicas. Each topic has its own limit below LARGEST."""
    return AIOKafkaProducer(
        bootstrap_servers=settings.kafka,
        acks="all",
        enable_idempotence=True,
        max_batch_size=131072,
        max_request_size=LARGEST,
        **security(settings),
    )


async def start_producer(settings: Settings) -> AIOKafkaProducer:
    """Connected, or nothing left behind."""
    kafka = producer(settings)
    try:
        await kafka.start()
    except BaseException:
        await discard(kafka)
        raise
    return kafka


class Relay:
    """Carries recorded events to Kafka: one relay for a slot at a time, in order, at least once.

    It works on a connection of its own, whose session holds the advisory locks of the slots: when that connection is
    gone, so is the right to send. After any producer error the producer is thrown away (aiokafka's idempotent one never
    recovers a partition after a refused record) and the work restarts from the oldest row that is not marked.
    """

    def __init__(self, settings: Settings, slots: Sequence[int] = range(SLOTS)) -> None:
        self._settings = settings
        self._slots = list(slots)
        self._woken = asyncio.Event()
        self._singly = False  # to find out which record of a refused batch is at fault
        self.leading = False

    async def run(self) -> None:
        """Until cancelled. A server that is away is waited for."""
        pause = 0.1
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await self._lead()
            except Exception as exc:
                if not (is_transient(exc) or isinstance(exc, KafkaError)):
                    log.exception("relay.failed", error=type(exc).__name__)
                log.warning("relay.restarts", error=type(exc).__name__, seconds=pause)
                telemetry.RELAY_RESTARTS.inc()
                await asyncio.sleep(pause)
            lasted = asyncio.get_running_loop().time() - began
            pause = 0.1 if lasted > 30 else min(pause * 2, 5.0)

    async def _lead(self) -> None:
        conn = await asyncpg.connect(
            self._settings.database_url, server_settings=SESSION, command_timeout=30, timeout=10
        )
        try:
            await self._take_locks(conn)
            await conn.add_listener("outbox", lambda *_: self._woken.set())
            await conn.execute(SLEEP, False)  # who led before us may have died asleep
            self.leading = True
            await self._carry(conn)
        finally:
            self.leading = False
            conn.terminate()  # the locks go at once, even when the server does not answer

    async def _take_locks(self, conn: "asyncpg.Connection[Row]") -> None:
        """Try, do not queue: a waiting statement would hold a snapshot and stop vacuum on the whole server."""
        for slot in self._slots:
            while not await conn.fetchval("SELECT pg_try_advisory_lock($1, $2)", LOCK, slot):  # noqa: ASYNC110
                await asyncio.sleep(1)

    async def _carry(self, conn: "asyncpg.Connection[Row]") -> None:
        """Send what is there; then look often for a while; then sleep until woken."""
        kafka = await start_producer(self._settings)
        try:
            quiet_since = asyncio.get_running_loop().time()
            while True:
                if await self._drain(conn, kafka):
                    quiet_since = asyncio.get_running_loop().time()
                elif asyncio.get_running_loop().time() - quiet_since < self._settings.relay_sleep_after:
                    await asyncio.sleep(POLL)
                else:
                    await self._sleep(conn, kafka)
                    quiet_since = asyncio.get_running_loop().time()
        finally:
            await discard(kafka)

    async def _sleep(self, conn: "asyncpg.Connection[Row]", kafka: AIOKafkaProducer) -> None:
        """Say that we sleep, look once more (somebody may have read the old flag), then wait for the wake-up."""
        self._woken.clear()
        await conn.execute(SLEEP, True)
        try:
            while not await self._drain(conn, kafka):
                try:
                    async with asyncio.timeout(WATCH):  # wait_for of Python 3.11 may lose a cancellation
                        await self._woken.wait()
                except TimeoutError:
                    continue
                self._woken.clear()
        finally:
            await conn.execute(SLEEP, False)

    async def _drain(self, conn: "asyncpg.Connection[Row]", kafka: AIOKafkaProducer) -> int:
        """Send everything that is pending. PostgreSQL marks the last batch while this one is handed to Kafka, and reads
        the next one while Kafka acknowledges this one."""
        sent, marking = 0, None
        rows = await self._pending(conn, 0)
        while rows:
            acknowledged = asyncio.gather(*[await send(kafka, row) for row in rows], return_exceptions=True)
            if marking:
                await marking
            following = await self._pending(conn, rows[-1]["id"]) if len(rows) == BATCH else []
            results = await acknowledged
            if any(isinstance(result, BaseException) for result in results):
                await self._mend(conn, rows, results)
            marking = await self._start_marking(conn, rows)
            sent += len(rows)
            rows = following or await self._after(marking, conn)
        self._singly = False
        return sent

    async def _start_marking(self, conn: "asyncpg.Connection[Row]", rows: list[Row]) -> "asyncio.Task[Any]":
        """Kafka has them all: say so in the database, without waiting for it."""
        moments = [row["created_at"] for row in rows]
        marking = asyncio.create_task(conn.execute(MARK, min(moments), max(moments), [row["id"] for row in rows]))
        await asyncio.sleep(0)  # lets the statement leave before the next batch keeps the processor busy
        _observe(rows)
        return marking

    async def _after(self, marking: "asyncio.Task[Any]", conn: "asyncpg.Connection[Row]") -> list[Row]:
        await marking
        return await self._pending(conn, 0)

    async def _pending(self, conn: "asyncpg.Connection[Row]", after: int) -> list[Row]:
        return await conn.fetch(PENDING, after, self._slots, 1 if self._singly else BATCH)

    async def _mend(self, conn: "asyncpg.Connection[Row]", rows: list[Row], results: list[Any]) -> None:
        """Start anew, with nothing of this batch marked; put aside what was refused when it was sent alone."""
        failures = [(row, error) for row, error in zip(rows, results, strict=True) if isinstance(error, BaseException)]
        row, error = next((f for f in failures if isinstance(f[1], HOPELESS)), failures[0])
        if isinstance(error, HOPELESS) and self._singly:
            log.error("outbox.quarantined", channel=row["channel"], error=type(error).__name__)
            telemetry.QUARANTINED.inc()
            await conn.execute(QUARANTINE, row["channel"], row["key"], row["id"], type(error).__name__)
        self._singly = isinstance(error, HOPELESS) and not self._singly
        raise error


async def send(kafka: AIOKafkaProducer, row: Row, topic: str = "") -> "asyncio.Future[Any]":
    """An archived event, to its channel or to another topic; the future ends when it is on all in-sync replicas."""
    headers = [(name, value.encode()) for name, value in from_json(row["headers"]).items()]
    try:
        sending: asyncio.Future[Any] = await kafka.send(
            topic or row["channel"], row["payload"], row["key"].encode(), headers=headers
        )
        return sending
    except HOPELESS as exc:  # refused before it was sent: an answer like any other
        refused: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        refused.set_exception(exc)
        return refused


def _observe(rows: list[Row]) -> None:
    for channel, count in Counter(row["channel"] for row in rows).items():
        telemetry.PUBLISHED.labels(channel).inc(count)
    if telemetry.is_tracing():
        for row in rows:
            _trace(row)


def _trace(row: Row) -> None:
    """The time from the commit to Kafka's acknowledgement, in the trace of what caused the event."""
    if parent := telemetry.context_of(from_json(row["headers"]).get("traceparent")):
        began = int(row["created_at"].timestamp() * 1e9)
        name = f"publish {row['channel']}"
        telemetry.tracer.start_span(name, parent, SpanKind.PRODUCER, start_time=began).end()


async def discard(kafka: AIOKafkaProducer) -> None:
    """Close without waiting for records that may never be acknowledged: they are still in the database.

    Left alone, aiokafka would go on trying to send them for as long as the process lives.
    """
    stopping = asyncio.create_task(kafka.stop())
    await asyncio.wait([stopping], timeout=2)
    kafka._message_accumulator.fail_all(KafkaError("discarded"))  # whoever waits for them, also when its sender died
    if not stopping.done():
        await kafka.client.close()
        await asyncio.wait([stopping], timeout=2)
    if not stopping.done() or stopping.exception():
        log.warning("producer.discarded", reason="not stopped" if not stopping.done() else "failed")

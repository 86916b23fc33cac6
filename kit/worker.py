"""The Kafka side of a process: FastStream feeds the inbox; what is poison is buried in a dead letter topic."""

import asyncio
import gc
import hashlib
from collections.abc import Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage
from faststream.security import SASLScram512

from kit import outbox
from kit.clock import now
from kit.db import Database
from kit.inbox import Inbox, Record
from kit.settings import Settings

log = structlog.get_logger()

BATCH = 1000
"""Records of one transaction at most, when there is a backlog: larger sets cost PostgreSQL less for each event, and the
one by one that follows poison takes longer."""
IDLE = 20
"""Milliseconds FastStream waits, twice, when nothing came: the most that polling adds to an event's way."""
DEAD_AFTER = 12_000
"""Milliseconds without a heartbeat after which Kafka gives the partitions of a killed process to another."""
LONGEST_PAUSE = 20.0
"""Seconds between attempts while something is away; heartbeats go on meanwhile, so it does not cost the assignment."""


def dead_letter_topic(consumer: str, channel: str) -> str:
    return f"{consumer}.{channel}.dlq"


class DeadLetters:
    """Where one consumer's poison goes: key, value and headers unchanged, plus `dlq-*` headers that say why (never the
    exception's text: it may hold personal data)."""

    def __init__(self, settings: Settings, consumer: str) -> None:
        self._settings = settings
        self._consumer = consumer
        self._producer: AIOKafkaProducer | None = None

    async def bury(self, record: Record, why: Exception) -> None:
        """Returns when Kafka has it on all in-sync replicas; an error is transient for the caller."""
        if self._producer is None:
            self._producer = await outbox.start_producer(self._settings)
        topic = dead_letter_topic(self._consumer, record.topic)
        headers = [*record.headers, *self._reason(record, why)]
        try:
            await self._producer.send_and_wait(topic, record.value, record.key, headers=headers)
        except Exception:
            await self.close()  # never reuse a producer that has failed
            raise

    def _reason(self, record: Record, why: Exception) -> list[tuple[str, bytes]]:
        kind = type(why.__cause__ or why).__name__
        facts = {
            "dlq-original-topic": record.topic,
            "dlq-original-partition": getattr(record, "partition", ""),
            "dlq-original-offset": getattr(record, "offset", ""),
            "dlq-original-timestamp": getattr(record, "timestamp", ""),
            "dlq-group": self._consumer,
            "dlq-error-class": kind,
            "dlq-error-fingerprint": hashlib.sha256(f"{kind}:{_place(why)}".encode()).hexdigest()[:16],
            "dlq-failed-at": now().isoformat(),
        }
        return [(name, str(value).encode()) for name, value in facts.items()]

    async def close(self) -> None:
        if self._producer is not None:
            stopping, self._producer = self._producer, None
            await outbox.discard(stopping)


def _place(exc: Exception) -> str:
    """File and line where it went wrong: the same for the same mistake."""
    trace = exc.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""


class Drain(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Gives partitions away only when no batch is being worked on, so that no two consumers work on the same one."""

    def __init__(self) -> None:
        self.working = asyncio.Lock()

    async def on_partitions_revoked(self, revoked: Any) -> None:
        try:
            async with asyncio.timeout(25):
                async with self.working:
                    return
        except TimeoutError:
            log.warning("worker.rebalanced_while_working")

    async def on_partitions_assigned(self, assigned: Any) -> None:
        log.info("worker.assigned", count=len(assigned))


def spare_collections() -> None:
    """A batch makes many objects and leaves no cycles: looking for cycles as often as Python usually does took a third
    of the time of projecting (measured with 2,000 events a batch)."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


class Worker:
    """One consumer of everything that the inbox hears."""

    def __init__(self, settings: Settings, inbox: Inbox, db: Database) -> None:
        self._inbox, self._db = inbox, db
        self._dead = DeadLetters(settings, inbox.consumer)
        self._drain = Drain()
        self._pause = 0.2
        self._broker = broker(settings, inbox.consumer)
        self._subscriber = self._broker.subscriber(
            *inbox.subscriptions,
            group_id=inbox.consumer,
            batch=True,
            max_records=BATCH,
            batch_timeout_ms=IDLE,
            fetch_max_wait_ms=100,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.NACK_ON_ERROR,
            session_timeout_ms=DEAD_AFTER,
            rebalance_timeout_ms=45_000,
            max_poll_interval_ms=600_000,
            isolation_level="read_committed",
            listener=self._drain,
        )
        self._subscriber(self._consume, parser=self._unparsed, decoder=_untouched)

    async def start(self) -> None:
        spare_collections()
        await self._broker.start()

    async def stop(self) -> None:
        await self._broker.stop()
        await self._dead.close()

    def assignment(self) -> set[TopicPartition]:
        """The partitions that this process reads now; empty until the group has agreed."""
        consumer = self._subscriber.consumer
        return set(consumer.assignment()) if consumer else set()

    async def _unparsed(self, records: tuple["ConsumerRecord[Any, Any]", ...]) -> KafkaAckableMessage:
        """FastStream's own parser fails the whole batch at one binary header; the inbox looks at records one by one."""
        consumer = self._subscriber.consumer
        assert consumer is not None  # noqa: S101 (it delivered the batch)
        return KafkaAckableMessage(body=b"", raw_message=records, headers={}, consumer=consumer)

    async def _consume(self, records: Sequence[Record]) -> None:
        """An error rewinds the batch (nack) after a pause that grows while the trouble lasts."""
        async with self._drain.working:
            try:
                await self._inbox.consume(self._db, records, self._dead.bury)
            except Exception as exc:
                log.warning("inbox.waits", error=type(exc).__name__, seconds=self._pause)
                await asyncio.sleep(self._pause)
                self._pause = min(self._pause * 2, LONGEST_PAUSE)
                raise
        self._pause = 0.2


async def _untouched(message: KafkaAckableMessage) -> Any:
    return message.raw_message


def broker(settings: Settings, name: str) -> KafkaBroker:
    """FastStream's broker with the defaults that lose nothing."""
    return KafkaBroker(
        settings.kafka.split(","),
        client_id=name,
        acks="all",
        allow_auto_create_topics=False,
        graceful_timeout=30,
        apply_types=False,
        serializer=None,
        logger=None,
        security=security_of(settings),
    )


def security_of(settings: Settings) -> SASLScram512 | None:
    if not settings.kafka_username:
        return None
    return SASLScram512(
        settings.kafka_username, settings.kafka_password, ssl_context=outbox.security(settings)["ssl_context"]
    )

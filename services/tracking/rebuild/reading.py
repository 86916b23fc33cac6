"""From Kafka into a schema: the projection's own subscribers, through its own inbox, in large sets."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import asyncpg
import structlog

from kit.db import is_transient, may_retry
from kit.inbox import Inbox, Letter, Poison, Record
from kit.log import Log, Places, after
from services.tracking.rebuild import store

log = structlog.get_logger()

BATCH = 8_000
"""Records applied in one transaction: large sets are what makes it fast."""
SLICE = 250
"""Records understood before anything else gets its turn."""

Batch = tuple[Sequence[Record], list[Letter]]


class Reading:
    """A connection into the schema that is being filled, and what is read of Kafka."""

    def __init__(
        self, conn: "asyncpg.Connection[asyncpg.Record]", kafka: Log, inbox: Inbox, schema: store.Schema
    ) -> None:
        self.conn, self.kafka, self.inbox, self.schema = conn, kafka, inbox, schema
        self.events = self.unreadable = 0

    async def read_to(self, ends: Places) -> None:
        """While PostgreSQL takes one batch in, the next is fetched and understood."""
        batches = self._batches(ends)
        coming = asyncio.create_task(_next(batches))
        try:
            while batch := await coming:
                coming = asyncio.create_task(_next(batches))
                await self._apply(*batch)
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
            await batches.aclose()

    async def _batches(self, ends: Places) -> AsyncGenerator[Batch, None]:
        async for records in self.kafka.read(ends, BATCH):
            letters: list[Letter] = []
            for n in range(0, len(records), SLICE):
                letters += [letter for letter in map(self._understood, records[n : n + SLICE]) if letter]
                await asyncio.sleep(0)  # lets the next statement leave for PostgreSQL
            yield records, letters

    def _understood(self, record: Record) -> Letter | None:
        try:
            return self.inbox.read(record)
        except Poison:
            self.unreadable += 1
            return None

    async def _apply(self, records: Sequence[Any], letters: list[Letter]) -> None:
        try:
            async with self.conn.transaction():
                await self.inbox.take(self.conn, records, letters)
                await store.come_to(self.conn, self.schema, after(records))
        except Exception as exc:
            if is_transient(exc) and not may_retry(exc):
                raise
            await self._one_by_one(records)
        self.events += len(records)

    async def _one_by_one(self, records: Sequence[Any]) -> None:
        """What the projection cannot apply lies among its dead letters; the rest goes on without it."""
        for record in records:
            letter = self._understood(record)
            try:
                async with self.conn.transaction():
                    await self.inbox.take(self.conn, [record], [letter] if letter else [])
                    await store.come_to(self.conn, self.schema, after([record]))
            except Exception as exc:
                if is_transient(exc):
                    raise
                log.error("rebuild.unappliable", channel=record.topic, error=type(exc).__name__)
                self.unreadable += 1


async def _next(batches: AsyncGenerator[Batch, None]) -> Batch | None:
    return await anext(batches, None)

"""Promises kept by every subscriber, today's and tomorrow's: each hears every example ever published.

Hearing it twice is hearing it once, and failing at any statement leaves no trace: the second test fails each statement
that the subscriber runs, in turn, so its output tells how many ways there were to break.
"""

import importlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from contracts.envelope import Channel, Event
from contracts.registry import CHANNELS
from kit.db import Connection, Database
from kit.inbox import Inbox, Record
from kit.outbox import _headers

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "contracts/examples"

MakeDatabase = Callable[[str], Awaitable[Database]]


@dataclass
class Heard:
    """A record as Kafka would hand it over."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]

    def __repr__(self) -> str:
        return dict(self.headers)["ce_type"].decode()


def services_that_hear() -> dict[str, Inbox]:
    files = sorted(ROOT.glob("services/*/subscribers.py"))
    inboxes = {f.parent.name: importlib.import_module(f"services.{f.parent.name}.subscribers").inbox for f in files}
    return {name: inbox for name, inbox in inboxes.items() if inbox.subscriptions}


def everything_on(channel: Channel) -> list[Heard]:
    """Every committed example of the channel, told as the history of one aggregate."""
    files = [file for event in channel.events for file in sorted(EXAMPLES.glob(f"{event.__name__}.v*.json"))]
    bodies = [json.loads(file.read_text("utf-8")) for file in files]
    key = bodies[0][channel.key]
    return [
        _record(channel, _event_class(channel, file).model_validate({**body, channel.key: key, "version": n}))
        for n, (file, body) in enumerate(zip(files, bodies, strict=True), start=1)
    ]


def _event_class(channel: Channel, file: Path) -> type[Event]:
    return next(event for event in channel.events if event.__name__ == file.name.split(".")[0])


def _record(channel: Channel, event: Event) -> Heard:
    key = channel.key_of(event)
    headers = _headers(channel, event, f"019a0000-0000-7000-8000-{event.version:012d}", key)
    value = event.model_dump_json().encode()
    return Heard(channel.name, key.encode(), value, [(name, text.encode()) for name, text in headers.items()])


def everything_heard_by(inbox: Inbox) -> list[Heard]:
    """All channels that it hears; the fees of a dossier follow what the dossier said."""
    return [record for channel in CHANNELS if channel.name in inbox.subscriptions for record in everything_on(channel)]


async def trace_of(db: Database) -> dict[str, list[str]]:
    """Everything that the service has stored."""
    tables = await db.fetch(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
    )
    return {
        row["relname"]: sorted(
            r["t"]
            for r in await db.fetch(f'SELECT row_to_json(t)::text AS t FROM "{row["relname"]}" t')  # noqa: S608
        )
        for row in tables
    }


class Broke(asyncpg.PostgresConnectionError):
    """The database went away at this statement."""


class Breaking:
    """A connection that breaks at the nth statement."""

    def __init__(self, tx: Connection, after: int) -> None:
        self._tx, self._left = tx, after

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._tx, name)
        if name not in ("execute", "executemany", "fetch", "fetchrow", "fetchval"):
            return attribute

        async def run(*args: Any, **options: Any) -> Any:
            if self._left == 0:
                raise Broke
            self._left -= 1
            return await attribute(*args, **options)

        return run


class BreakingDatabase(Database):
    """The same database, breaking in each transaction after so many statements."""

    def __init__(self, db: Database, after: int) -> None:
        super().__init__(db._pool, db.url)
        self._after = after

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        async with super().transaction() as tx:
            yield Breaking(tx, self._after)


async def never_bury(record: Record, why: Exception) -> None:
    raise AssertionError(f"{record} was taken for poison") from why


SERVICES = services_that_hear()


def test_the_examples_cover_every_channel() -> None:
    for channel in CHANNELS:
        assert {type(e) for e in map(_parsed, everything_on(channel))} == set(channel.events)


def _parsed(record: Heard) -> Event:
    channel = next(channel for channel in CHANNELS if channel.name == record.topic)
    event_class = channel.event_named(dict(record.headers)["ce_type"].decode())
    assert event_class
    return event_class.model_validate_json(record.value or b"")


@pytest.mark.parametrize("service", SERVICES)
async def test_hearing_it_twice_is_hearing_it_once(service: str, make_database: MakeDatabase) -> None:
    db, inbox = await make_database(service), SERVICES[service]
    for record in everything_heard_by(inbox):
        await inbox.consume(db, [record], never_bury)
        once = await trace_of(db)

        await inbox.consume(db, [record], never_bury)

        assert await trace_of(db) == once, record


@pytest.mark.parametrize("service", SERVICES)
async def test_hearing_everything_again_from_the_start_changes_nothing(
    service: str, make_database: MakeDatabase
) -> None:
    db, inbox = await make_database(service), SERVICES[service]
    everything = everything_heard_by(inbox)
    await inbox.consume(db, everything, never_bury)
    once = await trace_of(db)

    await inbox.consume(db, everything, never_bury)

    assert await trace_of(db) == once


@pytest.mark.parametrize("service", SERVICES)
async def test_failing_at_any_statement_leaves_no_trace(service: str, make_database: MakeDatabase) -> None:
    db, inbox = await make_database(service), SERVICES[service]
    ways_to_break = 0
    for record in everything_heard_by(inbox):
        before = await trace_of(db)
        for after in range(1000):
            try:
                await inbox.consume(BreakingDatabase(db, after), [record], never_bury)
                break
            except Broke:
                ways_to_break += 1
                assert await trace_of(db) == before, f"{record} left a trace when statement {after + 1} failed"
    print(f"{service}: {ways_to_break} ways to break, none left a trace")  # noqa: T201
    assert ways_to_break > len(everything_heard_by(inbox))

"""What operators ask a service: is it alive, is it ready, how is it doing; and the commands that mend it."""

import asyncio
import importlib
import importlib.util
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Annotated, Any

import structlog
import typer
from aiokafka import AIOKafkaConsumer, TopicPartition
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from contracts.envelope import Audience
from contracts.registry import CHANNELS
from kit import outbox, telemetry
from kit.auth import Public
from kit.clock import now
from kit.db import Database, MigrationRefused, is_transient, migrate, pending
from kit.inbox import Inbox, Record
from kit.log import partitions_of, reader
from kit.settings import Settings, load
from kit.worker import DeadLetters, dead_letter_topic

log = structlog.get_logger()

router = APIRouter(dependencies=[Public], include_in_schema=False)

OLDEST_ALLOWED = 60.0
"""Seconds an event may wait in the outbox before a worker says that it is not ready."""


@router.get("/live")
async def live(request: Request) -> Response:
    """Alive: every part that was started still runs. Databases and brokers do not count: a restart mends neither."""
    dead = [task for task in request.app.state.tasks if task.done() and not task.cancelled() and task.exception()]
    return JSONResponse({"live": not dead}, 503 if dead else 200)


@router.get("/ready")
async def ready(request: Request) -> Response:
    """Ready for the work of its roles. Who serves HTTP stays ready without Kafka: the outbox keeps what is said."""
    state = request.app.state
    facts: dict[str, Any] = {"roles": sorted(state.roles)}
    fine = True
    if state.db is not None:
        facts["database"] = fine = await _database_answers(state.db)
    if state.worker is not None:
        facts["assigned"] = len(state.worker.assignment())
        facts["outbox_oldest_seconds"] = round(await state.db.fetchval(outbox.OLDEST), 3) if fine else None
        if "http" not in state.roles:
            fine = fine and facts["assigned"] > 0 and facts["outbox_oldest_seconds"] < OLDEST_ALLOWED
    return JSONResponse({"ready": fine, **facts}, 200 if fine else 503)


async def _database_answers(db: Database) -> bool:
    try:
        return bool(await asyncio.wait_for(db.fetchval("SELECT 1"), 2) == 1)
    except Exception as exc:
        if not is_transient(exc):
            raise
        return False


@router.get("/metrics")
async def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


# ── commands ──────────────────────────────────────────────────────────────────────────────────────────────────


def cli(service: str) -> typer.Typer:
    """`motcua <service> …`: commands that work on this service's database and topics, from its environment."""
    app = typer.Typer(help=f"Operate the {service} service.", no_args_is_help=True)
    telemetry.configure(service, level="WARNING")
    dlq = typer.Typer(help="Records that could not be applied.", no_args_is_help=True)
    app.add_typer(dlq, name="dlq")

    @app.command("migrate")
    def migrate_command() -> None:
        """Bring the database to the newest schema. Safe to run again, and while the old version serves."""
        settings = load(Settings)
        try:
            ran = asyncio.run(migrate(settings.migration_url, service, settings.database_url))
        except MigrationRefused as exc:
            raise typer.BadParameter(str(exc)) from None
        typer.echo("\n".join(f"applied {name}" for name in ran) or "nothing to do")

    @app.command()
    def check() -> None:
        """Say what is wrong, if anything: migrations, waiting or quarantined events, parked events, jobs given up."""
        findings = asyncio.run(with_database(lambda db: _check(db, service)))
        typer.echo(json.dumps(findings, indent=2, ensure_ascii=False))
        raise typer.Exit(0 if findings["fine"] else 1)

    @dlq.command("list")
    def dlq_list() -> None:
        """Show each dead letter: where it came from and why it was buried (never its content)."""
        for record in asyncio.run(_dead_letters(service)):
            typer.echo(json.dumps(_describe(record), ensure_ascii=False))

    @dlq.command("redrive")
    def dlq_redrive(
        dry_run: Annotated[bool, typer.Option(help="only show what would be tried")] = False,
    ) -> None:
        """Apply the dead letters again, after the cause was mended. What fails again stays a dead letter."""
        done, failed = asyncio.run(_redrive(service, dry_run))
        typer.echo(f"{done} applied, {failed} still dead" if not dry_run else f"{done} would be tried")
        raise typer.Exit(1 if failed else 0)

    @app.command()
    def replay(
        channel: Annotated[str, typer.Argument(help="name of one of its channels")],
        since: Annotated[datetime | None, typer.Option(help="only events recorded since then (UTC)")] = None,
        key: Annotated[str | None, typer.Option(help="only this aggregate")] = None,
        to: Annotated[str | None, typer.Option(help="only to the replay topic of this outside system")] = None,
        dry_run: Annotated[bool, typer.Option(help="only count")] = False,
    ) -> None:
        """Publish events of the archive again, with their old ids and versions; who has heard them skips them."""
        if to and not _is_public(channel):
            raise typer.BadParameter(f"{channel} is not public")
        again = partial(_replay_to, to) if to and not dry_run else partial(_replay, dry_run)
        count = asyncio.run(with_database(lambda db: again(db, channel, _utc(since), key)))
        typer.echo(f"{count} events {'would be' if dry_run else 'were' if to else 'will be'} published again")

    @app.command()
    def release(channel: str, key: str) -> None:
        """Let a quarantined aggregate's events go again, after the cause was mended."""
        typer.echo(asyncio.run(with_database(lambda db: db.execute(RELEASE, channel, key))))

    for own in (_own(service, "commands"), _own(service, "operations")):
        app.registered_commands += own.registered_commands
        app.registered_groups += own.registered_groups
    return app


def _own(service: str, kind: str) -> typer.Typer:
    """What `services/<service>/commands.py` adds: `commands` need nothing that runs, `operations` are told where its
    database and Kafka are."""
    try:
        found = importlib.util.find_spec(f"services.{service}.commands")
    except ModuleNotFoundError:  # not one of our services: a test's
        found = None
    nothing = typer.Typer()
    own: typer.Typer = getattr(importlib.import_module(found.name), kind, nothing) if found else nothing
    return own


def needs_nothing(service: str, command: str) -> bool:
    """Whether this command of the service works without its database and Kafka."""
    own = _own(service, "commands")
    return bool(own.registered_commands) and command in _names(own)


def _names(commands: typer.Typer) -> set[str]:
    return {one.name or getattr(one.callback, "__name__", "").replace("_", "-") for one in commands.registered_commands}


RELEASE = "DELETE FROM outbox_quarantine WHERE channel = $1 AND key = $2"
REPLAY_COUNT = """
SELECT count(*) FROM outbox
WHERE channel = $1 AND created_at >= coalesce($2, '-infinity'::timestamptz)
  AND key = coalesce($3, key) AND published_at IS NOT NULL
"""
REPLAY_ROWS = """
SELECT key, version, headers::text AS headers, payload FROM outbox
WHERE channel = $1 AND created_at >= coalesce($2, '-infinity'::timestamptz) AND published_at IS NOT NULL
  AND (key, version) > ($3, $4) AND key <= $5
ORDER BY key, version LIMIT 1000
"""
LAST_KEY = "SELECT max(key) FROM outbox WHERE channel = $1"
REPLAY = """
UPDATE outbox SET published_at = NULL
WHERE channel = $1 AND created_at >= coalesce($2, '-infinity'::timestamptz)
  AND key = coalesce($3, key) AND published_at IS NOT NULL
"""
STATE = """
SELECT (SELECT count(*) FROM outbox WHERE published_at IS NULL) AS outbox_pending,
       (SELECT count(*) FROM outbox_quarantine) AS quarantined_aggregates,
       (SELECT count(*) FROM inbox_parked) AS parked_events,
       (SELECT count(*) FROM timer WHERE given_up_at IS NOT NULL) AS jobs_given_up,
       (SELECT count(*) FROM timer WHERE given_up_at IS NULL AND due_at < now() - interval '1 minute') AS timers_late
"""


async def with_database(work: Callable[[Database], Awaitable[Any]]) -> Any:
    """Do this with the service's own database."""
    db = await Database.open(load(Settings).database_url, size=2)
    try:
        return await work(db)
    finally:
        await db.close()


async def _check(db: Database, service: str) -> dict[str, Any]:
    row = await db.fetchrow(STATE)
    facts = {**dict(row or {}), "outbox_oldest_seconds": round(await db.fetchval(outbox.OLDEST), 1)}
    missing = await pending(db, service)
    broken = ("quarantined_aggregates", "parked_events", "jobs_given_up", "timers_late")
    fine = not missing and not any(facts[name] for name in broken) and facts["outbox_oldest_seconds"] < OLDEST_ALLOWED
    return {"service": service, "fine": fine, "missing_migrations": missing, **facts}


def replay_topic(subscriber: str) -> str:
    """Where an outside system reads what is published again for it alone."""
    return f"replay.{subscriber}"


def _is_public(channel: str) -> bool:
    return any(one.name == channel and one.audience is Audience.PUBLIC for one in CHANNELS)


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=moment.tzinfo or now().tzinfo) if moment else None


async def _replay(dry_run: bool, db: Database, channel: str, since: datetime | None, key: str | None) -> int:
    if dry_run:
        return int(await db.fetchval(REPLAY_COUNT, channel, since, key))
    return int((await db.execute(REPLAY, channel, since, key)).split()[-1])


async def _replay_to(subscriber: str, db: Database, channel: str, since: datetime | None, key: str | None) -> int:
    """One aggregate after another, each in order. After an error begin again: what comes twice has the same ids."""
    kafka, count, position = await outbox.start_producer(load(Settings)), 0, (key or "", 0)
    last = key or await db.fetchval(LAST_KEY, channel)
    try:
        while rows := await db.fetch(REPLAY_ROWS, channel, since, *position, last):
            await asyncio.gather(*[await outbox.send(kafka, row, replay_topic(subscriber)) for row in rows])
            count, position = count + len(rows), (rows[-1]["key"], rows[-1]["version"])
    finally:
        await outbox.discard(kafka)
    return count


def _inbox_of(service: str) -> Inbox:
    inbox: Inbox = importlib.import_module(f"services.{service}.subscribers").inbox
    return inbox


async def _dead_letters(service: str) -> list[Any]:
    """Everything buried since the last redrive."""
    consumer = reader(load(Settings), f"{service}.redrive")
    await consumer.start()
    try:
        return [record async for record in _unread(consumer, service)]
    finally:
        await consumer.stop()


async def _unread(consumer: AIOKafkaConsumer, service: str) -> Any:
    """The records between the group's committed offsets and the present end of the dead letter topics."""
    topics = [dead_letter_topic(service, name) for name in _inbox_of(service).subscriptions]
    await consumer._client.force_metadata_update()
    partitions = [TopicPartition(t, p) for t in topics for p in await partitions_of(consumer, t)]
    if not partitions:
        return
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    for partition in partitions:
        while await consumer.position(partition) < ends[partition]:
            for record in (await consumer.getmany(partition, timeout_ms=1000)).get(partition, []):
                if record.offset < ends[partition]:
                    yield record


def _describe(record: Any) -> dict[str, Any]:
    reasons = {name: value.decode() for name, value in record.headers if name.startswith("dlq-")}
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset, **reasons}


class _Original:
    """A dead letter as the record that it was."""

    def __init__(self, dead: Any) -> None:
        self.dead = dead
        self.key: bytes | None = dead.key
        self.value: bytes | None = dead.value
        self.headers = [(name, value) for name, value in dead.headers if not name.startswith("dlq-")]
        self.topic = next(value.decode() for name, value in dead.headers if name == "dlq-original-topic")


async def _redrive(service: str, dry_run: bool) -> tuple[int, int]:
    settings, inbox = load(Settings), _inbox_of(service)
    consumer, dead = reader(settings, f"{service}.redrive"), DeadLetters(settings, service)
    failed = 0

    async def bury_again(record: Record, why: Exception) -> None:
        nonlocal failed
        failed += 1
        await dead.bury(record, why)

    db = await Database.open(settings.database_url, size=2)
    await consumer.start()
    try:
        letters = [record async for record in _unread(consumer, service)]
        for letter in [] if dry_run else letters:
            original = _Original(letter)
            await inbox.consume(db, [original], bury_again)
            await consumer.commit({TopicPartition(letter.topic, letter.partition): letter.offset + 1})
            log.info("dlq.redriven", channel=original.topic, partition=letter.partition, offset=letter.offset)
        return len(letters) - failed, failed
    finally:
        await consumer.stop()
        await dead.close()
        await db.close()

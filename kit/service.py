"""One process of one service: HTTP, subscribers and relay, timers; together, or each alone by `MOTCUA_ROLES`."""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI
from fastapi.telemetry import TelemetryConfig

from kit import auth, clients, ops, problems, telemetry
from kit.db import Database, is_transient, pending
from kit.idempotency import FORGET
from kit.inbox import LONG_PARKED, OLDEST_PARKED, Inbox
from kit.outbox import OLDEST, Relay
from kit.settings import Settings, load
from kit.timers import Timers
from kit.worker import Worker

log = structlog.get_logger()

Startup = Callable[[Database], Awaitable[None]]
Beside = Callable[[Database], Coroutine[Any, Any, None]]

NO_TELEMETRY_OF_ITS_OWN = TelemetryConfig(tracing=False, metrics=False, logs=False, operation_spans=False)
"""FastAPI's spans carry path and query, its logs the texts of exceptions: both may hold somebody's data."""
MONTHS = "SELECT outbox_month(now()::date), outbox_month((now() + interval '1 month')::date)"


def service(
    name: str,
    *,
    api: APIRouter | Sequence[APIRouter] = (),
    inbox: Inbox | None = None,
    timers: Timers | None = None,
    settings: type[Settings] = Settings,
    startup: Startup | None = None,
    beside: Beside | None = None,
) -> FastAPI:
    """The service as an ASGI application.

    `api`: its routes. `inbox`: what it hears. `timers`: its deadlines and jobs. `startup`: runs before the first
    request, on every start of every replica: it must be idempotent. `beside`: runs for ever in every process that has
    the role `worker`; it shares its work among replicas and waits for a database that is away.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with _Process(name, app, load(settings), inbox, timers, startup, beside):
            yield

    app = FastAPI(
        title=f"Một Cửa: {name}", version="1", lifespan=lifespan, redoc_url=None, telemetry=NO_TELEMETRY_OF_ITS_OWN
    )
    app.state.db = None
    problems.install(app)
    app.add_middleware(telemetry.Observe)
    for router in [api] if isinstance(api, APIRouter) else api:
        app.include_router(router)
    app.include_router(ops.router)
    return app


class _Process:
    """What runs beside the requests, from start to stop."""

    def __init__(
        self,
        name: str,
        app: FastAPI,
        settings: Settings,
        inbox: Inbox | None,
        timers: Timers | None,
        startup: Startup | None,
        beside: Beside | None,
    ) -> None:
        self._name, self._app, self._settings = name, app, settings
        self._inbox, self._timers, self._startup, self._beside = inbox, timers, startup, beside
        self._roles = {role.strip() for role in settings.roles.split(",")}
        self._tasks: list[asyncio.Task[None]] = []
        self._worker: Worker | None = None

    async def __aenter__(self) -> None:
        settings, state = self._settings, self._app.state
        telemetry.configure(self._name, otlp_url=settings.otlp_url, level=settings.log_level)
        asyncio.get_running_loop().set_exception_handler(telemetry.on_lost_exception)
        clients.identify_as(self._name)
        state.settings, state.roles, state.worker, state.tasks = settings, self._roles, None, self._tasks
        state.stopping = _stopping()
        state.verifier = auth.Verifier(self._name, auth.Keys(settings.identity_url))
        if settings.database_url:
            state.db = await self._open_database()
            self._start_roles(state.db)
        log.info("service.started", roles=sorted(self._roles))

    async def __aexit__(self, *_: Any) -> None:
        if self._worker:
            await self._worker.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._app.state.db:
            await self._app.state.db.close()
        telemetry.flush()

    async def _open_database(self) -> Database:
        db: Database = await patiently(
            "database", lambda: Database.open(self._settings.database_url, size=self._settings.database_pool)
        )
        if missing := await pending(db, self._name):
            raise SystemExit(
                f"{self._name}: the database lacks {', '.join(missing)}; run `./motcua {self._name} migrate` first"
            )
        if self._startup:
            await self._startup(db)
        return db

    def _start_roles(self, db: Database) -> None:
        if "worker" in self._roles and self._settings.kafka:
            self._run(Relay(self._settings).run())
            self._run(_housekeeping(db))
            if self._inbox and self._inbox.subscriptions:
                self._worker = self._app.state.worker = Worker(self._settings, self._inbox, db)
                self._run(_start_worker(self._worker))
            if self._beside:
                self._run(self._beside(db))
        if "timers" in self._roles and self._timers:
            self._run(self._timers.run(db))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._on_end)
        self._tasks.append(task)

    def _on_end(self, task: "asyncio.Task[None]") -> None:
        """A part that died of a mistake takes the process with it: whoever supervises us starts a fresh one."""
        if not task.cancelled() and (exc := task.exception()):
            log.error("service.part_died", error=type(exc).__name__, exc_info=exc)
            os.kill(os.getpid(), signal.SIGTERM)


def _stopping() -> asyncio.Event:
    """Set when the process is asked to end. The server first waits for answers under way, and then ends our lifespan:
    an answer that goes on for ever (a stream) has to look here and come to its end."""
    asked, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT) if threading.current_thread() is threading.main_thread() else ():
        signal.signal(number, partial(_end, asked, loop, signal.getsignal(number)))
    return asked


def _end(asked: asyncio.Event, loop: asyncio.AbstractEventLoop, before: Any, number: int, _: Any) -> None:
    """Tell it here, then to whoever was told before."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(asked.set)
    signal.signal(number, before)
    signal.raise_signal(number)


async def _start_worker(worker: Worker) -> None:
    await patiently("kafka", worker.start)


async def patiently(what: str, attempt: Callable[[], Awaitable[Any]]) -> Any:
    """Try until the other side is there."""
    pause = 0.2
    while True:
        try:
            return await attempt()
        except Exception as exc:
            if not is_transient(exc) and not _is_kafka_away(exc):
                raise
            log.warning("service.waits", name=what, error=type(exc).__name__)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)


def _is_kafka_away(exc: Exception) -> bool:
    return any(cls.__module__.startswith("aiokafka.") for cls in type(exc).__mro__)


async def _housekeeping(db: Database) -> None:
    """Keep next month's partition ready, forget old idempotency keys, and watch the outbox's age."""
    tick = 0
    while True:
        try:
            telemetry.OUTBOX_AGE.set(await db.fetchval(OLDEST))
            telemetry.PARKED_AGE.set(parked := await db.fetchval(OLDEST_PARKED))
            if parked > LONG_PARKED and tick % 12 == 0:  # once a minute
                log.error("inbox.gap_stays", seconds=round(parked))
            if tick % 720 == 0:  # once an hour
                await db.execute(MONTHS)
                await db.execute(FORGET)
        except Exception as exc:
            if not is_transient(exc):
                raise
            log.warning("housekeeping.waits", error=type(exc).__name__)
        tick += 1
        await asyncio.sleep(5)

"""Live updates: an open page hears of it, and nobody else pays for it."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import pytest

from kit.db import Database
from services.tracking.live import store
from services.tracking.live.watch import TooManyListeners, Watch
from tests.standins.conftest import free_port
from tests.support import eventually
from tests.tracking import callers, story
from tests.tracking.hearing import hear

MakeDatabase = Callable[..., Awaitable[Database]]


async def _filled(db: Database) -> None:
    await hear(db, story.standardised(), story.submitted())


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("tracking", "one dossier to watch", _filled)


# ── one look for everybody ──


def watch(read: Any, **limits: int) -> Watch:
    return Watch(read, asyncio.Event(), **{"most": 2000, "per_address": 2000, **limits})


async def test_a_thousand_listeners_cost_one_statement_a_look(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.tracking.live.watch.PAUSE", 0.05)
    looks: list[int] = []

    async def counting(codes: Sequence[str]) -> list[asyncpg.Record]:
        looks.append(len(codes))
        return await store.watched(db, codes)

    everybody = watch(counting)
    heard = 0

    async def listen(number: int) -> None:
        nonlocal heard
        async with everybody.listening(story.CODE, f"198.51.100.{number % 200}") as listener:
            while (row := await listener.next(10)) and row["version"] < 2:
                pass
            heard += 1

    async with asyncio.TaskGroup() as group:
        for number in range(1000):
            group.create_task(listen(number))
        await eventually(lambda: everybody.many == 1000 and looks)
        await hear(db, story.accepted(2))
    assert heard == 1000
    assert set(looks) == {1}
    assert everybody.many == 0
    seen = len(looks)
    await asyncio.wait_for(asyncio.gather(*(t for t in [everybody._looking] if t)), 2)
    assert len(looks) <= seen + 1, "nobody listens: nobody looks"


async def test_an_address_and_a_process_have_only_so_many(db: Database) -> None:
    async def nothing(codes: Sequence[str]) -> list[asyncpg.Record]:
        return []

    few = watch(nothing, most=3, per_address=2)
    async with few.listening("A", "1"), few.listening("B", "1"):
        with pytest.raises(TooManyListeners):
            await few.listening("A", "1").__aenter__()
        async with few.listening("A", "2"):
            with pytest.raises(TooManyListeners):
                await few.listening("A", "3").__aenter__()
    assert few.many == 0


async def test_a_database_that_is_away_for_a_moment_ends_nothing(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.tracking.live.watch.PAUSE", 0.02)
    tries = 0

    async def moody(codes: Sequence[str]) -> list[asyncpg.Record]:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise ConnectionResetError
        return await store.watched(db, codes)

    async with watch(moody).listening(story.CODE, "1") as listener:
        row = await listener.next(5)
    assert row
    assert row["version"] == 1


# ── over HTTP, in a process of its own ──


@asynccontextmanager
async def serving(db: Database) -> AsyncIterator[tuple[httpx2.AsyncClient, asyncio.subprocess.Process]]:
    port = free_port()
    env = {
        "MOTCUA_DATABASE_URL": db.url, "MOTCUA_ROLES": "http", "MOTCUA_DIGEST_KEY": story.KEY, "PATH": "",
        "MOTCUA_IDENTITY_URL": callers.ISSUER, "MOTCUA_LISTENERS_PER_ADDRESS": "3", "MOTCUA_LOOKUPS_PER_MINUTE": "0",
    }  # fmt: skip
    command = (sys.executable, "-m", "uvicorn", "services.tracking.app:app", "--port", str(port))
    process = await asyncio.create_subprocess_exec(*command, "--log-level", "warning", env=env)
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as http:
            await eventually(lambda: _lives(http), within=20)
            yield http, process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _lives(http: httpx2.AsyncClient) -> bool:
    try:
        return (await http.get("/live")).status_code == 200
    except httpx2.TransportError:
        return False


@asynccontextmanager
async def stream(
    http: httpx2.AsyncClient, code: str = story.CODE, **headers: str
) -> AsyncIterator[tuple[httpx2.Response, AsyncIterator[dict[str, str]]]]:
    async with http.stream("GET", f"/api/v1/dossiers/{code}/events", headers=headers) as answer:
        yield answer, _blocks(answer)


async def _blocks(answer: httpx2.Response) -> AsyncIterator[dict[str, str]]:
    """The fields of each event; a comment has an empty name."""
    block: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(":")
            block[name] = value.strip()
        elif block:
            yield block
            block = {}


async def test_a_stream_tells_the_state_then_each_change_and_ends_when_the_process_is_asked_to(db: Database) -> None:
    async with serving(db) as (http, process), stream(http) as (answer, blocks):
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert (await anext(blocks))["retry"] == "3000"
        first = await anext(blocks)
        assert (first["event"], first["id"]) == ("status", "1")
        assert json.loads(first["data"])["status"] == {"code": 1, "label": "Mới đăng ký"}
        assert story.MASKED not in first["data"]

        await hear(db, story.accepted(2))
        second = await anext(blocks)
        assert (second["id"], json.loads(second["data"])["status"]["code"]) == ("2", 2)

        async with stream(http, **{"Last-Event-ID": "2"}) as (_, again):
            assert "retry" in await anext(again)
            await hear(db, story.proposed(3))
            assert (await anext(again))["id"] == "3", "what was seen is not told again"

        async with stream(http), stream(http), stream(http) as (refused, _):
            assert refused.status_code == 429
        assert (await http.get("/api/v1/dossiers/H99.02.01-261122-9999/events")).status_code == 404

        assert (await anext(blocks))["id"] == "3"
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert [block async for block in blocks if "data" in block] == []
        assert await asyncio.wait_for(process.wait(), 10) in (0, -signal.SIGTERM)
        assert time.monotonic() - began < 5


async def test_only_its_owner_listens_to_all_of_a_dossier(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    from services.tracking.app import app

    app.state.db, app.state.verifier, app.state.watch = db, callers.verifier("tracking"), None
    monkeypatch.setattr("services.tracking.live.api.LIFE", 0.5)
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://tracking.test") as http:
        path = f"/api/v1/my/dossiers/{story.CODE}/events"
        assert (await http.get(path)).status_code == 401
        stranger = await http.get(path, headers=callers.citizen(UUID(int=9), "tracking"))
        assert stranger.status_code == 404
        told = await http.get(path, headers=callers.citizen(story.OWNER, "tracking"))
    app.state.watch = None
    assert "event: status" in told.text
    assert '"revision":"1.0"' in told.text

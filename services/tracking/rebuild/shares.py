"""Filling with several processes: Python is what an event costs most of, and one process uses one core.

Each process reads its share of the partitions, over a connection of its own. All that concerns one dossier lies in
partitions of one number, so the shares have no row in common.
"""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from multiprocessing.connection import Connection as Pipe
from multiprocessing.context import SpawnProcess

from kit.inbox import Inbox
from kit.log import Places, opened
from kit.settings import Settings
from kit.worker import spare_collections
from services.tracking.projection.counting import store as counting
from services.tracking.rebuild import store
from services.tracking.rebuild.reading import Reading

Filled = tuple[int, int]
"""Events that were read, and how many of them can never be applied."""


class ShareFailed(Exception):
    """A process could not fill its share; the message says what kind of trouble it had."""


async def fill(settings: Settings, inbox: Inbox, ends: Places, processes: int) -> Filled:
    """From Kafka's beginning to `ends` into the shadow. We fill the first share, processes of ours the others."""
    async with _others(settings, inbox, ends, processes) as others:
        shares = [_fill(settings, inbox, ends, 0, processes), *(asyncio.to_thread(_answer, other) for other in others)]
        filled = await _together([asyncio.ensure_future(share) for share in shares])
    return sum(events for events, _ in filled), sum(unreadable for _, unreadable in filled)


async def _together(shares: list[asyncio.Future[Filled]]) -> list[Filled]:
    """When one fails, nobody goes on."""
    try:
        return await asyncio.gather(*shares)
    finally:
        for share in shares:
            share.cancel()
        await asyncio.gather(*shares, return_exceptions=True)


async def _fill(settings: Settings, inbox: Inbox, ends: Places, share: int, of: int) -> Filled:
    async with (
        store.connected(settings.migration_url, "shadow") as conn,
        opened(settings, inbox.consumer, inbox.subscriptions, (share, of)) as kafka,
    ):
        kafka.seek(await kafka.first())
        reading = Reading(conn, kafka, inbox, "shadow")
        later = counting.counted_later.set(True)
        await reading.read_to(ends)
        counting.counted_later.reset(later)
        return reading.events, reading.unreadable


# ── the other processes ──


@asynccontextmanager
async def _others(settings: Settings, inbox: Inbox, ends: Places, of: int) -> AsyncIterator[list[Pipe]]:
    """They end with us, however we end."""
    context = multiprocessing.get_context("spawn")
    pipes: list[Pipe] = []
    started: list[SpawnProcess] = []
    try:
        for share in range(1, of):
            ours, theirs = context.Pipe()
            given = (settings, inbox, ends, share, of, theirs)
            process = context.Process(target=_other, name=f"share {share} of {of}", args=given, daemon=True)
            process.start()
            theirs.close()
            pipes.append(ours)
            started.append(process)
        yield pipes
    finally:
        for process in started:
            process.terminate()
            await asyncio.to_thread(process.join)


def _answer(pipe: Pipe) -> Filled:
    try:
        answer: Filled | str = pipe.recv()
    except EOFError:
        answer = "killed"
    if isinstance(answer, str):
        raise ShareFailed(answer)
    return answer


def _other(settings: Settings, inbox: Inbox, ends: Places, share: int, of: int, pipe: Pipe) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us too: the rebuild decides, and ends us
    spare_collections()
    threading.Thread(target=_end_with, args=[pipe], daemon=True).start()
    try:
        pipe.send(asyncio.run(_fill(settings, inbox, ends, share, of)))
    except Exception as exc:  # of its text nothing leaves the process: PostgreSQL's name values
        pipe.send(type(exc).__name__)


def _end_with(pipe: Pipe) -> None:
    """Whoever started us never says anything: its end of the pipe closes when it is gone, and nobody wants the rest."""
    with suppress(EOFError, OSError):
        pipe.recv()
    os._exit(1)

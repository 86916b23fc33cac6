"""One look a second for everybody who listens: the cost grows with what is watched, not with what happens.

The projection says nothing (a NOTIFY in its transactions would queue all of them at commit); nothing is kept, so a
stream that broke goes on from whatever its reader saw last.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import asyncpg
import structlog

from contracts.refusal import Refusal
from kit.db import is_transient

log = structlog.get_logger()

PAUSE = 1.0
"""Seconds between looks."""
AT_ONCE = 1000
"""Dossiers in one statement."""

Read = Callable[[Sequence[str]], Awaitable[list[asyncpg.Record]]]


class TooManyListeners(Refusal):
    """The page works without live updates; they may be there later."""

    status = 429
    title = "Đang có quá nhiều người theo dõi trực tiếp, xin thử lại sau ít phút"
    title_en = "Too many live connections, try again shortly"


class Listener:
    """One open stream: keeps the newest row that its reader has not taken yet."""

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self._row: asyncpg.Record | None = None
        self.ended = False

    def tell(self, row: asyncpg.Record) -> None:
        self._row = row
        self._news.set()

    def end(self) -> None:
        self.ended = True
        self._news.set()

    async def next(self, patience: float) -> asyncpg.Record | None:
        """The newest row; None when nothing was read for `patience` seconds, or it is over."""
        try:
            async with asyncio.timeout(patience):
                await self._news.wait()
        except TimeoutError:
            return None
        self._news.clear()
        return None if self.ended else self._row


class Watch:
    """Everybody who listens in this process. `stopping` ends them all."""

    def __init__(self, read: Read, stopping: asyncio.Event, *, most: int, per_address: int) -> None:
        self._read, self._stopping = read, stopping
        self._most, self._per_address = most, per_address
        self._listeners: dict[str, set[Listener]] = {}
        self._addresses: dict[str, int] = {}
        self._looking: asyncio.Task[None] | None = None

    @property
    def many(self) -> int:
        """How many listen now."""
        return sum(self._addresses.values())

    @asynccontextmanager
    async def listening(self, code: str, address: str) -> AsyncIterator[Listener]:
        """Listen to one dossier. TooManyListeners when the process or the address has as many as it may."""
        if self.many >= self._most or self._addresses.get(address, 0) >= self._per_address:
            raise TooManyListeners(retry_after=60)
        listener = Listener()
        self._listeners.setdefault(code, set()).add(listener)
        self._addresses[address] = self._addresses.get(address, 0) + 1
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            yield listener
        finally:
            self._leave(code, address, listener)

    def _leave(self, code: str, address: str, listener: Listener) -> None:
        self._listeners[code].discard(listener)
        if not self._listeners[code]:
            del self._listeners[code]
        self._addresses[address] -= 1
        if not self._addresses[address]:
            del self._addresses[address]

    async def _look(self) -> None:
        """As long as anybody listens. Whatever ends it ends the streams: their readers come back."""
        try:
            while self._listeners and not self._stopping.is_set():
                await self._tell_all()
                await self._rest()
        finally:
            for listeners in self._listeners.values():
                for listener in listeners:
                    listener.end()

    async def _tell_all(self) -> None:
        codes = list(self._listeners)
        try:
            for start in range(0, len(codes), AT_ONCE):
                for row in await self._read(codes[start : start + AT_ONCE]):
                    for listener in self._listeners.get(row["code"], ()):
                        listener.tell(row)
        except Exception as exc:
            if not is_transient(exc):
                raise
            log.warning("live.waits", error=type(exc).__name__)

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(PAUSE):
                await self._stopping.wait()
        except TimeoutError:
            return

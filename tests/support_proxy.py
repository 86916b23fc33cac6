"""A way to Kafka that a test can cut: a TCP proxy through which all of a client's connections go.

Brokers tell clients their own address; the proxy puts its own in its place, so that nobody goes around it.
"""

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator


class Proxy:
    """Stands in front of one broker (`host:port`); `cut()` closes every connection and lets none in until `mend()`."""

    def __init__(self, broker: str) -> None:
        self._host, _, port = broker.rpartition(":")
        self._port = int(port)
        self._own_port = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self.passing = asyncio.Event()
        """Cleared, connections stay open and nothing comes through: a network that swallows everything."""
        self.passing.set()
        self.waiting = 0
        """Messages that are being swallowed."""

    @property
    def address(self) -> str:
        return f"{self._host}:{self._own_port}"

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._connected, self._host, self._own_port)
        self._own_port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        if self._server:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._open.add(task)
        try:
            up, down = await asyncio.open_connection(self._host, self._port)
            with contextlib.closing(down):
                await asyncio.gather(self._pass(reader, down, b"", b""), self._pass(up, writer, *self._addresses()))
        except (OSError, EOFError, asyncio.CancelledError):
            return  # either side went away, or the test cut the way
        finally:
            writer.transport.abort()
            self._open.discard(task)

    def _addresses(self) -> tuple[bytes, bytes]:
        """The broker's address as Kafka writes it, and ours, of the same length."""
        host = self._host.encode()
        return host + self._port.to_bytes(4, "big"), host + self._own_port.to_bytes(4, "big")

    async def _pass(self, source: StreamReader, target: StreamWriter, theirs: bytes, ours: bytes) -> None:
        """One Kafka message after the other: four bytes of length, then as many."""
        while True:
            size = await source.readexactly(4)
            message = await source.readexactly(int.from_bytes(size, "big"))
            self.waiting += 1
            await self.passing.wait()
            self.waiting -= 1
            target.write(size + (message.replace(theirs, ours) if theirs else message))
            await target.drain()


@contextlib.asynccontextmanager
async def proxy(broker: str) -> AsyncIterator[Proxy]:
    between = Proxy(broker)
    await between.mend()
    try:
        yield between
    finally:
        await between.cut()

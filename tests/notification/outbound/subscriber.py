"""Another agency's webhook, as bad as we like: it answers raw bytes, over TLS when asked."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

Behaviour = Callable[["Received", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Received:
    """One request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes
    certificate: bool = False
    """Whether the sender showed a certificate of its own."""


@dataclass
class Subscriber:
    port: int = 0
    scheme: str = "http"
    connections: int = 0
    received: list[Received] = field(default_factory=list)
    sent: int = 0
    """Bytes of an endless answer that the network took."""

    def url(self, host: str = "localhost") -> str:
        return f"{self.scheme}://{host}:{self.port}/webhook?agency=1"


def says(status: str, *headers: str, body: bytes = b"") -> Behaviour:
    """A plain answer: `says("200 OK")`, `says("429 Too Many Requests", "Retry-After: 7")`."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]

    async def answer(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join(lines).encode() + body)

    return answer


def writes(raw: bytes) -> Behaviour:
    """These bytes, and the connection is closed."""

    async def answer(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        writer.close()

    return answer


def repeats(subscriber: Subscriber, start: bytes, part: bytes, times: int, pause: float = 0.0) -> Behaviour:
    """`start`, then `part` again and again, as long as somebody takes it."""

    async def answer(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        for _again in range(times):
            writer.write(part)
            await writer.drain()
            subscriber.sent += len(part)
            await asyncio.sleep(pause)

    return answer


async def silence(_: Received, __: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


OK = says("200 OK")


@asynccontextmanager
async def subscribing(behaviour: Behaviour = OK, tls: ssl.SSLContext | None = None) -> AsyncIterator[Subscriber]:
    """A subscriber on a free port of this machine."""
    subscriber = Subscriber(scheme="https" if tls else "http")
    at_work: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        subscriber.connections += 1
        try:
            while request := await _read(reader, writer):
                subscriber.received.append(request)
                await behaviour(request, writer)
        except (ConnectionError, ssl.SSLError):
            pass  # the sender left, which is what most of these tests want
        finally:
            writer.close()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(serve(reader, writer))
        at_work.add(task)
        task.add_done_callback(at_work.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", 0, ssl=tls)
    subscriber.port = server.sockets[0].getsockname()[1]
    try:
        yield subscriber
    finally:
        server.close()
        for task in list(at_work):
            task.cancel()
        await asyncio.gather(*at_work, return_exceptions=True)


@asynccontextmanager
async def tunnelling(port: int) -> AsyncIterator[tuple[str, list[str]]]:
    """An egress proxy that leads every CONNECT to this port: its address, and what it was asked for."""
    asked: list[str] = []
    at_work: set[asyncio.Task[None]] = set()

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[0])
        back, on = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_pour(reader, on), _pour(back, writer))

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(tunnel(reader, writer))
        at_work.add(task)

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()
        for task in at_work:
            task.cancel()
        await asyncio.gather(*at_work, return_exceptions=True)


async def _pour(source: asyncio.StreamReader, into: asyncio.StreamWriter) -> None:
    while part := await source.read(65536):
        into.write(part)
    into.close()


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Received | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    except asyncio.IncompleteReadError:
        return None
    headers = dict(_pair(line) for line in head[1:] if line)
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(head[0], headers, body, bool(writer.get_extra_info("peercert")))


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition(": ")
    return name.lower(), value


def serving(certificate: bytes, key: bytes, folder: Path) -> ssl.SSLContext:
    """A server's side of TLS with this certificate and key (PEM)."""
    file = folder / "server.pem"
    file.write_bytes(key + certificate)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context

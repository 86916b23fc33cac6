"""clamd's protocol (clamd(8)), as far as a client of INSTREAM meets it, and a page of what was scanned."""

import asyncio
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from deploy.standins.common import Recent, now, page, standin

VERSION = "ClamAV 1.4.0/stand-in"
STREAM_MAX_LENGTH = 25 * 1024**2
"""Bytes; clamd's default is 25 MB up to version 1.0, 100 MB since."""
PATIENCE = 30.0
"""Seconds without a byte, after which a client is left."""
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}" + b"$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
"""In two halves, so that real scanners leave this file alone."""
FOUND = "Eicar-Test-Signature"


@dataclass(frozen=True)
class Scan:
    at: datetime
    size: int
    """Bytes."""
    verdict: str


class Daemon:
    """What clamd does with one connection after the other."""

    def __init__(self) -> None:
        self.scans: Recent[Scan] = Recent(200)
        self._count = 0

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                end = await self._converse(reader, writer)
                writer.write(end)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return  # the client left, or never said what it wanted
        finally:
            writer.close()

    async def _converse(self, reader: StreamReader, writer: StreamWriter) -> bytes:
        """Hear one command; the answer with the mark that ends it."""
        kind = await reader.readexactly(1)
        mark = {b"z": b"\0", b"n": b"\n"}.get(kind, b"")
        if not mark:
            return b"UNKNOWN COMMAND\n"
        command = (await reader.readuntil(mark))[:-1]
        match command:
            case b"PING":
                return b"PONG" + mark
            case b"VERSION":
                return VERSION.encode() + mark
            case b"INSTREAM":
                return (await self._scan(reader)).encode() + mark
            case _:
                return b"UNKNOWN COMMAND" + mark

    async def _scan(self, reader: StreamReader) -> str:
        data = bytearray()
        while size := int.from_bytes(await reader.readexactly(4)):
            if len(data) + size > STREAM_MAX_LENGTH:
                return "INSTREAM size limit exceeded. ERROR"
            data += await reader.readexactly(size)
        said = f"stream: {FOUND} FOUND" if EICAR in data else "stream: OK"
        self._count += 1
        self.scans[str(self._count)] = Scan(now(), len(data), said.removeprefix("stream: "))
        return said


def create(bound: socket.socket) -> FastAPI:
    """The page; the daemon answers on the bound socket while it is served."""
    daemon = Daemon()

    @asynccontextmanager
    async def scanning(_: FastAPI) -> AsyncIterator[None]:
        async with await asyncio.start_server(daemon.serve, sock=bound):
            yield

    app = standin("clamav", scanning)

    @app.get("/scans")
    async def scans() -> list[dict[str, Any]]:
        return [asdict(scan) for scan in daemon.scans.newest_first()]

    @app.get("/", response_class=HTMLResponse)
    async def shown() -> HTMLResponse:
        return page("clamav.html", scans=daemon.scans.newest_first())

    return app

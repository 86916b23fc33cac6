"""Many subscribers in one light process: notes when each webhook came, and answers as its path says.

`/quick/<n>` at once, `/slow/<n>` after two seconds, `/dead/<n>` never.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import uvloop

from deploy.bench.children import orders, tell

SLOW = 2.0
ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"

came: dict[str, list[tuple[str, float]]] = defaultdict(list)
"""Path → (webhook-id, seconds since 1970)."""


class Subscriber(asyncio.Protocol):
    """As much of HTTP/1.1 as our own client speaks."""

    def connection_made(self, transport: Any) -> None:
        self._transport, self._buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            whole = end + 4 + int(_header(head, b"content-length"))
            if len(self._buffer) < whole:
                return
            self._buffer = self._buffer[whole:]
            self._take(head)

    def _take(self, head: bytes) -> None:
        path = head.split(b" ", 2)[1].decode()
        came[path].append((_header(head, b"webhook-id").decode(), time.time()))
        if path.startswith("/quick"):
            self._transport.write(ANSWER)
        elif path.startswith("/slow"):
            asyncio.get_running_loop().call_later(SLOW, self._transport.write, ANSWER)


def _header(head: bytes, name: bytes) -> bytes:
    return head.partition(b"\r\n" + name + b":")[2].partition(b"\r\n")[0].strip()


def forget() -> dict[str, object]:
    came.clear()
    return {}


async def receive() -> None:
    server = await asyncio.get_running_loop().create_server(Subscriber, "127.0.0.1", 0)
    does: dict[str, Callable[[], dict[str, object]]] = {
        "port": lambda: {"port": server.sockets[0].getsockname()[1]},
        "count": lambda: {path: len(got) for path, got in came.items()},
        "came": lambda: dict(came),
        "forget": forget,
    }
    async for order in orders():
        tell(**does[order["do"]]())


uvloop.run(receive())

"""Many subscribers in one light process: notes when each webhook came, and answers as its path says.

`/quick/<n>` at once, `/slow/<n>` after two seconds, `/dead/<n>` never; `/down/<n>` takes nothing until told to rise.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable

import uvloop

from deploy.bench.children import orders, tell
from deploy.bench.children.http import Requests, header

SLOW = 2.0
ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
DOWN = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"

came: dict[str, list[tuple[str, float]]] = defaultdict(list)
"""Path → (webhook-id, seconds since 1970), of those that were not refused."""
fallen = asyncio.Event()


class Subscriber(Requests):
    """Takes webhooks at once, after a while, or never, by the path."""

    def take(self, path: str, head: bytes) -> None:
        if path.startswith("/down") and fallen.is_set():
            self.transport.write(DOWN)
            return
        came[path].append((header(head, b"webhook-id").decode(), time.time()))
        if path.startswith(("/quick", "/down")):
            self.transport.write(ANSWER)
        elif path.startswith("/slow"):
            asyncio.get_running_loop().call_later(SLOW, self.transport.write, ANSWER)


def forget() -> dict[str, object]:
    came.clear()
    return {}


def fall() -> dict[str, object]:
    fallen.set()
    return {}


def rise() -> dict[str, object]:
    fallen.clear()
    return {"at": time.time()}


async def receive() -> None:
    server = await asyncio.get_running_loop().create_server(Subscriber, "127.0.0.1", 0)
    does: dict[str, Callable[[], dict[str, object]]] = {
        "port": lambda: {"port": server.sockets[0].getsockname()[1]},
        "count": lambda: {path: len(got) for path, got in came.items()},
        "came": lambda: dict(came),
        "forget": forget,
        "fall": fall,
        "rise": rise,
    }
    async for order in orders():
        tell(**does[order["do"]]())


uvloop.run(receive())

"""What sending a message meets, in one light process: identity with an address for everybody, eSMS and a mail server.

Each answers at once and keeps nothing but a count.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import uvloop
from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.bench.children import orders, tell
from deploy.bench.children.http import Requests

ANSWERS: dict[str, dict[str, Any]] = {
    "/oauth/token": {"access_token": "of-notification", "expires_in": 3600},
    "/contact": {"name": "", "email": "nobody@example.vn", "phone": "+84900000001"},
    "/esms": {"CodeResult": "100", "SMSID": "1"},
}
took = {"/esms": 0, "mail": 0}


class Outside(Requests):
    """Identity, dossier and the provider of text messages, by their paths."""

    def take(self, path: str, head: bytes) -> None:
        path = path.partition("?")[0]
        name = next((known for known in ANSWERS if path.endswith(known)), "/contact")
        if name in took:
            took[name] += 1
        body = json.dumps(ANSWERS[name]).encode()
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        self.transport.write(answer + body)


class Mailbox:
    """Takes every letter."""

    async def handle_DATA(self, _: SMTP, __: Session, ___: Envelope) -> str:  # noqa: N802 (aiosmtpd's name)
        took["mail"] += 1
        return "250 OK"


async def meet() -> None:
    loop = asyncio.get_running_loop()
    http = await loop.create_server(Outside, "127.0.0.1", 0)
    smtp = await loop.create_server(lambda: SMTP(Mailbox()), "127.0.0.1", 0)
    ports = {"http": http.sockets[0].getsockname()[1], "smtp": smtp.sockets[0].getsockname()[1]}
    does: dict[str, Callable[[], dict[str, Any]]] = {"ports": lambda: ports, "count": lambda: took}
    async for order in orders():
        tell(**does[order["do"]]())


uvloop.run(meet())

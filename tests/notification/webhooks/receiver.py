"""A subscriber's side: it writes down what comes and answers as it is told to."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Answers = Callable[["Received"], Awaitable[web.Response]]


@dataclass(frozen=True)
class Received:
    """One webhook as it came."""

    id: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def unit(self) -> tuple[str, str]:
        return self.event["source"], self.event["subject"]

    @property
    def version(self) -> int:
        return int(self.event["aggregateversion"])


@dataclass
class Receiver:
    """Everything that came, and what was accepted of it, in order."""

    url: str = ""
    answers: Answers | None = None
    received: list[Received] = field(default_factory=list)
    accepted: list[Received] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        got = Received(request.headers["webhook-id"], dict(request.headers), await request.read())
        self.received.append(got)
        answer = await self.answers(got) if self.answers else web.Response(status=204)
        if answer.status < 300:
            self.accepted.append(got)
        return answer

    def histories(self) -> dict[tuple[str, str], list[int]]:
        """For each dossier and channel: the versions as they were first accepted."""
        found: dict[tuple[str, str], list[int]] = {}
        for got in self.accepted:
            versions = found.setdefault(got.unit, [])
            if got.version not in versions:
                versions.append(got.version)
        return found

    def versions(self, code: str) -> list[int]:
        """Every accepted version of one dossier's own channel, repetitions too."""
        return [got.version for got in self.accepted if got.unit == ("/services/dossier", code)]


def says(status: int, **headers: str) -> Answers:
    """Always this."""

    async def answer(_: Received) -> web.Response:
        return web.Response(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return answer


@asynccontextmanager
async def receiving(answers: Answers | None = None) -> AsyncIterator[Receiver]:
    """At a free port of loopback."""
    receiver = Receiver(answers=answers)
    app = web.Application()
    app.router.add_post("/", receiver.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield receiver
    finally:
        await runner.cleanup()


async def silence(_: Received) -> web.Response:
    """Never answers."""
    await asyncio.Event().wait()
    raise AssertionError

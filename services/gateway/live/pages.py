"""Live updates for open pages: the streams of tracking, passed on piece by piece."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from kit.auth import Public
from kit.clients import Answered
from kit.problems import Unavailable
from services.gateway import clients
from services.gateway.clients import ANYBODY
from services.gateway.pages import Citizen, pages

router = pages()


@router.get("/tra-cuu/{code}/dien-bien", dependencies=[Public])
async def anybody(request: Request, code: str) -> Response:
    """The status of a dossier, whenever it changes, for whoever has its code."""
    return await _passed_on(request, f"/api/v1/dossiers/{code}/events", ANYBODY)


@router.get("/ho-so-cua-toi/{code}/dien-bien")
async def owner(request: Request, me: Citizen, code: str) -> Response:
    """All that changes about one's own dossier."""
    return await _passed_on(request, f"/api/v1/my/dossiers/{code}/events", await me.token("tracking"))


async def _passed_on(request: Request, path: str, token: str) -> Response:
    """The stream; 204 when there is none, which tells a browser not to come back."""
    stack = AsyncExitStack()
    seen = request.headers.get("last-event-id")
    headers = {**clients.on_behalf_of(request), **({"Last-Event-ID": seen} if seen else {})}
    try:
        answer = await stack.enter_async_context(clients.long(path, token, headers))
    except (Answered, Unavailable):
        return Response(status_code=204)
    stopping = getattr(request.app.state, "stopping", None) or asyncio.Event()
    return Passing(stack, _until(stopping, answer.aiter_raw()), media_type="text/event-stream")


class Passing(StreamingResponse):
    """A long answer of another service; the call behind it ends with it."""

    def __init__(self, call: AsyncExitStack, pieces: AsyncIterator[bytes], **options: Any) -> None:
        super().__init__(pieces, **options)
        self.headers["X-Accel-Buffering"] = "no"
        self._call = call

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._call:
            await super().__call__(scope, receive, send)


async def _until(stopping: asyncio.Event, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """What comes, until nothing more comes, the other side is gone, or this process is asked to end."""
    end = asyncio.ensure_future(stopping.wait())
    try:
        while True:
            following = asyncio.ensure_future(anext(pieces, b""))
            await asyncio.wait({following, end}, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                following.cancel()
            piece = b"" if following.cancelled() or end.done() or following.exception() else following.result()
            if not piece:
                return
            yield piece
    finally:
        end.cancel()
